-- Which statements change many rows at a time, by their text: filtered by a list or with a LIMIT, as clean-up loops are,
-- or filled from a SELECT or an array.

create or replace temp table write_batches as
select
  h.query_shape_id,
  (
    h.has_limit
    or (h.statement <> 'insert' and has_operator(h.filter_columns, 'in'))
    or (
      h.statement = 'insert'
      and matches(h.query_shape, '(?i)(\bselect\b.*\bfrom\b|\bunnest\s*\(|json_table|openjson|jsonb?_to_recordset)')
    )
  ) as affects_many
from query_shapes as h
where not h.is_read;
