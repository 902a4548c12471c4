-- One row per request that made a read which many requests make with the same parameters, while nothing writes its tables.
-- Hidden parameters are taken to be equal where the same URL was asked for: likely, not certain.
-- Under sampling the minima count what was recorded, the numbers told are estimates, and a write may have gone unseen.
with periods as (
  select
    r.service_name,
    r.shape,
    r.identity,
    r.start_ns - f.first_ns - (r.start_ns - f.first_ns) % greatest(1, cast($window_s as bigint) * 1000000000) as period_ns,
    min(r.query_shape_id) as query_shape_id,
    count(*) as recorded_reads,
    greatest(count(distinct r.trace_id), count(distinct r.request_span_id)) as recorded_requests,
    estimated(r.weight) as reads,
    min(r.start_ns) as from_ns,
    max(r.start_ns) as to_ns,
    weighted_sum(r.duration_ms * r.weight) as total_ms,
    max(r.duration_ms) as longest_ms,
    argmax(r.endpoint, (r.start_ns, r.endpoint)) as endpoint
  from repeated_reads as f
  inner join shared_reads as r on f.service_name = r.service_name and f.shape = r.shape and f.identity = r.identity
  -- Without query text only a name recurs, and many queries go by it.
  where r.query_shape_id is not null
  group by r.service_name, r.shape, r.identity, period_ns
  having count(*) >= $min_reads and greatest(count(distinct r.trace_id), count(distinct r.request_span_id)) >= $min_requests
),

-- How long nothing wrote the tables around the reads: a value that lived no longer would never have been stale. Where no
-- write was seen at all, that is the configured maximum, and no more than a beginning.
lifetimes as (
  select
    p.service_name,
    p.shape,
    p.identity,
    p.period_ns,
    greatest(1, floor(least(
      $max_ttl_s,
      coalesce((min(case when w.last_ns >= p.to_ns then w.last_ns end) - p.from_ns) / 1e9, $max_ttl_s),
      coalesce((p.to_ns - max(case when w.first_ns <= p.from_ns then w.first_ns end)) / 1e9, $max_ttl_s)
    ))) as ttl_s,
    count(w.table_name) > 0 as writes_seen
  from periods as p
  left join shape_tables as t on p.query_shape_id = t.query_shape_id
  left join written_seconds as w on t.table_name = w.table_name
  group by p.service_name, p.shape, p.identity, p.period_ns, p.from_ns, p.to_ns
  having sum(case when w.last_ns > p.from_ns and w.first_ns < p.to_ns then 1 else 0 end) = 0
)

select
  p.service_name,
  p.endpoint,
  p.shape as subject,
  r.trace_id,
  r.request_span_id,
  ordered_list(r.span_id, r.start_ns) as offender_span_ids,
  sum_ms(r.duration_ms) * max(1.0 - p.longest_ms / greatest(p.total_ms, p.longest_ms)) as avoidable_ms,
  case when max(p.reads > p.recorded_reads or r.is_hidden) then 'likely' else 'certain' end as confidence,
  case when max(p.total_ms - p.longest_ms) >= $warning_above_ms then 'warning' else 'info' end as severity,
  max(p.reads) as reads,
  max(cast(round(p.recorded_requests * p.reads / p.recorded_reads) as bigint)) as requests,
  round(max((p.reads - 1.0) / p.reads), 3) as hit_rate,
  round(max(p.total_ms - p.longest_ms), 3) as saved_ms,
  max(l.ttl_s) as ttl_s,
  max(l.writes_seen) as writes_seen,
  (
    select round((max(o.start_ns) - min(o.start_ns)) / 1e9, 3)
    from shared_reads as o
    where o.service_name = p.service_name
  ) as observed_s
from periods as p
inner join lifetimes as l
  on p.service_name = l.service_name and p.shape = l.shape and p.identity = l.identity and p.period_ns = l.period_ns
inner join shared_reads as r
  on p.service_name = r.service_name
    and p.shape = r.shape
    and p.identity = r.identity
    and r.start_ns between p.from_ns and p.to_ns
group by p.service_name, p.endpoint, p.shape, r.trace_id, r.request_span_id
order by avoidable_ms desc, r.trace_id asc, r.request_span_id asc, subject asc
