-- Which tables a query shape touches, and when tables were written, as rows: a pass joins them, it never parses.
--
-- is_paging   the shape reads the page after a key: it filters by a range of a column it sorts by, and has a LIMIT

create or replace temp table shape_tables as
select
  h.query_shape_id,
  lower(t.table_name) as table_name
from query_shapes as h, unnest(h.tables) as t (table_name)
group by h.query_shape_id, lower(t.table_name);

create or replace temp table table_writes as
select
  lower(w.table_name) as table_name,
  c.trace_id,
  c.request_span_id,
  c.start_ns
from calls as c
inner join query_shapes as h on c.query_shape_id = h.query_shape_id, unnest(h.written_tables) as w (table_name)
where c.family = 'db';

create or replace temp table paging_shapes as
select h.query_shape_id
from query_shapes as h
where h.has_limit
  and len(list_filter(
    h.filter_columns,
    lambda f: f.operator = 'range' and (
      len(list_filter(h.sort_columns, lambda s: s.column_name = f.column_name)) > 0
      -- ORDER BY 1 does not name its column; then a range and nothing else must do.
      or (len(h.sort_columns) = 0 and matches(h.query_shape, '(?i)\border\s+by\b') and len(h.filter_columns) = 1)
    )
  )) > 0;
