-- One row per request with a call of a query shape that takes long whenever it runs, and whose conditions or order an
-- index would serve. The columns come in the order in which an index should have them.
with costs as (
  select
    c.service_name,
    c.query_shape_id,
    sum(c.times) as recorded_calls,
    estimated(c.weight * c.times) as calls,
    weighted_sum(c.duration_ms * c.weight * c.times) as total_ms
  from calls as c
  where c.family = 'db' and c.query_shape_id is not null
  group by c.service_name, c.query_shape_id
),

ranked as (
  select
    s.*,
    row_number() over (partition by s.service_name order by s.total_ms desc, s.query_shape_id asc) as place
  from costs as s
),

slow as (
  select
    r.service_name,
    r.query_shape_id,
    i.table_name,
    i.column_names,
    r.calls,
    r.total_ms,
    max(c.longest_ms) as slowest_ms,
    weighted_q(c.duration_ms, c.weight * c.times, 0.5) as median_ms,
    weighted_q(c.duration_ms, c.weight * c.times, 0.1) as fast_ms
  from ranked as r
  inner join index_columns as i on r.query_shape_id = i.query_shape_id
  inner join calls as c on r.service_name = c.service_name and r.query_shape_id = c.query_shape_id and c.family = 'db'
  where r.recorded_calls >= $min_calls and r.total_ms >= $min_total_ms and r.place <= $top_shapes
  group by r.service_name, r.query_shape_id, i.table_name, i.column_names, r.calls, r.total_ms
)

select
  c.service_name,
  c.endpoint,
  c.shape as subject,
  c.trace_id,
  c.request_span_id,
  ordered_list(c.span_id, c.start_ns) as offender_span_ids,
  sum(c.times * greatest(0, c.duration_ms - $indexed_ms)) as avoidable_ms,
  'likely' as confidence,
  case when max(s.median_ms) >= $warning_above_ms then 'warning' else 'info' end as severity,
  max(s.table_name) as table_name,
  min(s.column_names) as index_columns,
  max(s.calls) as calls,
  max(s.median_ms) as median_ms,
  max(s.slowest_ms) as slowest_ms,
  round(max(s.total_ms), 3) as total_ms
from calls as c
inner join slow as s on c.service_name = s.service_name and c.query_shape_id = s.query_shape_id
where c.family = 'db' and c.duration_ms > $indexed_ms and s.fast_ms >= $min_fast_ms
group by c.service_name, c.endpoint, c.shape, c.trace_id, c.request_span_id
order by avoidable_ms desc, c.trace_id asc, c.request_span_id asc, subject asc
