-- One row per request and query shape that fetched many rows: counted where instrumentation counts them, else of a whole
-- table with all or many of its columns, as many as its time can be estimated to mean.
with reads as (
  select
    c.*,
    h.select_star,
    h.selected_columns,
    coalesce(h.reads_whole_table, false) as reads_whole_table,
    coalesce(h.takes_keys or h.aggregates, false) as is_bounded
  from calls as c
  left join read_extents as h on c.query_shape_id = h.query_shape_id
  where c.family = 'db'
    and c.is_read
    and c.entry_kind = 'server'
    and ((h.reads_whole_table and h.is_wide) or c.returned_rows is not null)
),

medians as (
  select
    r.service_name,
    r.shape,
    weighted_q(r.duration_ms, r.weight * r.times, 0.5) as median_ms
  from reads as r
  group by r.service_name, r.shape
),

fetched as (
  select
    r.service_name,
    r.endpoint,
    r.shape,
    r.trace_id,
    r.request_span_id,
    ordered_list(r.span_id, r.start_ns) as span_ids,
    sum(r.duration_ms * r.times) as read_ms,
    sum(r.returned_rows) as returned_rows,
    max(r.is_bounded) as is_bounded,
    max(r.reads_whole_table) as reads_whole_table,
    cast(round(case when $row_ms > 0 then max(m.median_ms) / $row_ms end) as bigint) as estimated_rows,
    max(r.select_star) as select_star,
    max(r.selected_columns) as selected_columns
  from reads as r
  inner join medians as m on r.service_name = m.service_name and r.shape = m.shape
  group by r.service_name, r.endpoint, r.shape, r.trace_id, r.request_span_id
)

select
  f.service_name,
  f.endpoint,
  f.shape as subject,
  f.trace_id,
  f.request_span_id,
  f.span_ids as offender_span_ids,
  greatest(0, f.read_ms - $page_ms) as avoidable_ms,
  case when f.returned_rows is not null then 'certain' else 'likely' end as confidence,
  case when f.read_ms >= $warning_above_ms then 'warning' else 'info' end as severity,
  f.read_ms,
  coalesce(f.returned_rows, f.estimated_rows) as rows,
  case when f.returned_rows is not null then 'counted' else 'estimated' end as rows_are,
  case
    when f.select_star then 'all'
    when f.selected_columns > 0 then cast(f.selected_columns as varchar)
    else 'some'
  end as columns
from fetched as f
where (f.returned_rows >= $min_rows and not f.is_bounded)
  or (f.returned_rows is null and f.reads_whole_table and f.estimated_rows >= $min_rows)
order by avoidable_ms desc, f.trace_id asc, f.request_span_id asc, subject asc
