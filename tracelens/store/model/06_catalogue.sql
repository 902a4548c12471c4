-- What the store's catalogue tells once and for all: relations of scopes and query shapes, whatever the window.
--
-- shape_tables    which tables a query shape touches: a pass joins them, it never parses
-- marked_shapes   spans of these shapes have HTTP headers, or a sampling rate, among their attributes; most have neither, and
--                 their attributes need not be looked at
-- shape_families  the kind of operation that spans of these shapes describe: see nodes; family_of_query where they have a text
-- shape_routes    the route of those that answer HTTP requests, where it has parameters
-- detailed_shapes spans of these shapes may say of a call what their shape does not: its URL, the rows that it gave, how many
--                 spans it was folded from
-- paging_shapes   shapes that read the page after a key: they filter by a range of a column they sort by, and have a LIMIT

create or replace temp table known_scopes as
select
  c.scope_id,
  c.scope_name,
  exists(
    select 1 from orm_scopes as o
    where matches(c.scope_name, o.pattern)
  ) as is_orm
from scopes as c;

create or replace temp table marked_shapes as
select h.span_shape_id
from span_shapes as h
where has_name_like(attribute_names(h.attributes), '^http\.(request|response)\.header\.|ampl')
  or has_name_like(h.attribute_keys, '^http\.(request|response)\.header\.|ampl');

create or replace temp table shape_families as
select
  h.span_shape_id,
  case
    when h.kind in (2, 5) then null
    when h.db_system in ('redis', 'valkey', 'memcached', 'dragonfly', 'keydb') then 'cache'
    when h.db_system is not null then 'db'
    when h.kind = 4 or (h.messaging_system is not null and h.messaging_operation in ('send', 'create')) then 'messaging'
    when h.rpc_system is not null and h.kind = 3 then 'rpc'
    when h.http_method is not null and h.kind = 3 then 'http'
  end as family,
  case
    when h.kind in (2, 5) then null
    when h.db_system in ('redis', 'valkey', 'memcached', 'dragonfly', 'keydb') then 'cache'
    else 'db'
  end as family_of_query,
  h.status_code = 2 as is_error
from span_shapes as h;

create or replace temp table shape_routes as
select
  h.span_shape_id,
  route_template(h.http_route) as route
from span_shapes as h
where h.kind = 2 and matches(h.http_route, ':\w|\{|<');

create or replace temp table detailed_shapes as
select
  h.span_shape_id,
  h.returned_rows_at is not null as has_returned_rows
from span_shapes as h
where (h.http_method is not null and h.kind = 3)
  or h.returned_rows_at is not null
  or h.folded_spans_at is not null;

create or replace temp table shape_tables as
select
  h.query_shape_id,
  lower(t.table_name) as table_name
from query_shapes as h, unnest(h.tables) as t (table_name)
group by h.query_shape_id, lower(t.table_name);

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
