-- One row per request over the objective, of an endpoint whose 95th percentile is. A percentile is as good as the number of
-- requests it was taken of, so the minimum is one of recorded requests, whatever they stand for under sampling.
with endpoints as (
  select
    r.service_name,
    r.endpoint,
    coalesce(min(o.objective_ms), $objective_ms) as objective_ms,
    count(*) as recorded_requests,
    estimated(r.weight) as requests,
    weighted_q(r.duration_ms, r.weight, 0.95) as p95_ms,
    weighted_q(r.duration_ms, r.weight, 0.5) as median_ms
  from requests as r
  left join objectives as o on matches(r.service_name, o.service_pattern) and matches(r.endpoint, o.endpoint_pattern)
  where r.entry_kind = 'server'
  group by r.service_name, r.endpoint
)

select
  r.service_name,
  r.endpoint,
  r.endpoint as subject,
  r.trace_id,
  r.request_span_id,
  ordered_list(r.request_span_id, r.start_ns) as offender_span_ids,
  sum_ms(greatest(0, r.duration_ms - e.objective_ms)) as avoidable_ms,
  'certain' as confidence,
  max(e.p95_ms) as p95_ms,
  max(e.objective_ms) as objective_ms,
  max(e.requests) as requests,
  max(e.recorded_requests) as recorded_requests,
  max(e.median_ms) as median_ms
from requests as r
inner join endpoints as e on r.service_name = e.service_name and r.endpoint = e.endpoint
where r.entry_kind = 'server'
  and e.p95_ms > e.objective_ms * $near_ratio
  and e.recorded_requests >= $min_requests
  and r.duration_ms > e.objective_ms * $near_ratio
group by r.service_name, r.endpoint, r.trace_id, r.request_span_id
order by avoidable_ms desc, r.trace_id asc, r.request_span_id asc
