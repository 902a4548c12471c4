-- The newest query texts, oldest first: as many as the catalogue remembers after a start.
select
  s.db_system,
  t.query_text,
  t.query_text_id
from query_texts as t
inner join query_shapes as s on t.query_shape_id = s.query_shape_id
where t.query_text_id >= $oldest_id
order by t.query_text_id asc
