-- How much of its tables a reading query shape asks for, as far as its text tells.
--
-- reads_whole_table  every row: no condition, no LIMIT, and nothing that makes few rows of many
-- is_wide            all columns, or as many as a mapper lists that was not told which: a short list somebody chose
-- takes_keys         the rows of a list of keys, or those that follow a key: what was asked for, however many

create or replace temp table read_extents as
select
  h.query_shape_id,
  len(h.filter_columns) = 0
  and len(h.tables) > 0
  and not h.has_limit
  and not h.aggregates
  and not matches(h.query_shape, '(?i)\b(group\s+by|distinct|union|intersect|except|exists)\b') as reads_whole_table,
  has_operator(h.filter_columns, 'in') or p.query_shape_id is not null as takes_keys,
  h.select_star or h.selected_columns >= 5 as is_wide,
  h.aggregates,
  h.select_star,
  h.selected_columns
from query_shapes as h
left join paging_shapes as p on h.query_shape_id = p.query_shape_id
where h.parsed and h.is_read;
