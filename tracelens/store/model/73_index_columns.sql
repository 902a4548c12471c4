-- The columns of an index that would serve a query shape, in their order: equality first, then one range, then the sort.
--
-- A shape has no row where its primary key serves it, where it reads the whole table anyway, where no column of its
-- conditions can lead an index, or where it sums up a range: that takes long for the rows it reads, found however fast.

create or replace temp table index_columns as
with uses as (
  select
    f.query_shape_id,
    coalesce(f.used.table_name, f.main_table) as table_name,
    f.used.column_name,
    f.place,
    true as may_lead,
    case f.used.operator when 'range' then 1 when 'like' then 2 when 'null_check' then 3 else 0 end as rank
  from (
    select
      h.query_shape_id,
      h.tables[1] as main_table,
      unnest(h.filter_columns) as used,
      unnest(range(len(h.filter_columns))) as place
    from query_shapes as h
    where h.parsed
      and not h.single_row_lookup
      and h.statement in ('select', 'update', 'delete')
      and not (has_operator(h.filter_columns, 'range') and (h.aggregates or matches(h.query_shape, '(?i)\bgroup\s+by\b')))
  ) as f
  where f.used.operator <> 'other' or f.used.expression is not null
  union all
  select
    s.query_shape_id,
    coalesce(s.used.table_name, s.main_table) as table_name,
    s.used.column_name,
    s.place,
    s.may_lead,
    4 as rank
  from (
    select
      h.query_shape_id,
      h.tables[1] as main_table,
      unnest(h.sort_columns) as used,
      unnest(range(len(h.sort_columns))) as place,
      -- An order alone is worth an index where it spares reading all rows to return the first.
      len(h.filter_columns) = 0 and h.has_limit and not matches(h.query_shape, '(?i)\b(group\s+by|distinct)\b') as may_lead
    from query_shapes as h
    where h.parsed and not h.single_row_lookup and h.statement = 'select'
  ) as s
),

-- An index is on one table: that of the column that would lead it.
first_uses as (
  select
    u.query_shape_id,
    argmax(u.table_name, (-u.rank, -u.place, u.table_name)) as table_name,
    argmax(u.rank, (-u.rank, -u.place, u.table_name)) as rank
  from uses as u
  group by u.query_shape_id
  having max(u.may_lead)
),

ordered_uses as (
  select
    u.*,
    min(case when u.rank = 1 then u.place end) over (partition by u.query_shape_id, u.table_name) as first_range
  from uses as u
),

placed as (
  select
    u.query_shape_id,
    u.table_name,
    u.column_name,
    min(u.rank * 100 + u.place) as place
  from ordered_uses as u
  inner join first_uses as l on u.query_shape_id = l.query_shape_id and u.table_name = l.table_name
  where
    -- One range can use the index, and a pattern only an index of its own; what is null or not is a partial index's part.
    u.rank in (0, 4)
    or (u.rank = 1 and u.place = u.first_range)
    or (u.rank = 2 and l.rank = 2)
  group by u.query_shape_id, u.table_name, u.column_name
)

select
  p.query_shape_id,
  p.table_name,
  ordered_list(p.column_name, p.place) as column_names
from placed as p
group by p.query_shape_id, p.table_name
having max(lower(p.column_name) not in ('id', '_id', 'uuid'))
  and not max(lower(p.column_name) in ('id', '_id', 'uuid') and p.place < 100);
