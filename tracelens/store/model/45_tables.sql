-- When tables were written, as rows.

create or replace temp table table_writes as
select
  lower(w.table_name) as table_name,
  c.trace_id,
  c.request_span_id,
  c.start_ns
from calls as c
inner join query_shapes as h on c.query_shape_id = h.query_shape_id, unnest(h.written_tables) as w (table_name)
where c.family = 'db';
