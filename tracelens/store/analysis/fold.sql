-- The rows of one pass, folded: one row per service, endpoint and subject. The request that would gain most is the exemplar.
with totals as (
  select
    r.service_name,
    r.endpoint,
    r.subject,
    weighted_sum(case when r.trace_id is null then 0 else coalesce(q.weight, 1) end) as requests,
    weighted_sum(coalesce(q.weight, 1) * len(r.offender_span_ids)) as spans,
    weighted_sum(coalesce(q.weight, 1) * r.avoidable_ms) as avoidable_ms,
    -- 'certain' sorts before 'likely': one certain occurrence makes the finding certain.
    min(r.confidence) as confidence,
    max(case r.severity when 'critical' then 2 when 'warning' then 1 else 0 end) as severity_rank,
    min(coalesce(r.first_seen_ns, q.start_ns)) as first_seen_ns,
    max(coalesce(r.last_seen_ns, q.end_ns)) as last_seen_ns,
    max(r.avoidable_ms) as most_ms
  from pass_rows as r
  left join requests as q on r.trace_id = q.trace_id and r.request_span_id = q.request_span_id
  group by r.service_name, r.endpoint, r.subject
),

-- Few are in the running: to rank all of them would sort as many rows, with everything they tell.
ranked as (
  select
    r.*,
    row_number() over (
      partition by r.service_name, r.endpoint, r.subject
      order by r.avoidable_ms desc, r.exemplar_order desc, r.trace_id asc, r.request_span_id asc
    ) as exemplar_rank
  from totals as t
  inner join pass_rows as r
    on t.service_name = r.service_name
      and t.endpoint = r.endpoint
      and t.subject = r.subject
      and t.most_ms is not distinct from r.avoidable_ms
),

-- The endpoint's percentile now, and with each request as much shorter as the fix makes it: see impact.sql.
percentiles as (
  select
    t.service_name,
    t.endpoint,
    t.subject,
    weighted_q(q.duration_ms, q.weight, 0.95) as endpoint_p95_ms,
    weighted_q(greatest(0, q.duration_ms - coalesce(r.gained_ms, 0)), q.weight, 0.95) as endpoint_p95_if_fixed_ms,
    weighted_sum(q.weight * coalesce(r.gained_ms, 0)) / greatest(weighted_sum(q.weight * q.duration_ms), 0.001) as endpoint_share
  from totals as t
  inner join requests as q on t.service_name = q.service_name and t.endpoint = q.endpoint
  left join row_impact as r
    on t.service_name = r.service_name
      and t.endpoint = r.endpoint
      and t.subject = r.subject
      and q.trace_id = r.trace_id
      and q.request_span_id = r.request_span_id
  group by t.service_name, t.endpoint, t.subject
)

select
  x.* exclude (first_seen_ns, last_seen_ns),
  t.requests as occurrence_requests,
  t.spans as occurrence_spans,
  t.avoidable_ms as total_avoidable_ms,
  t.confidence as worst_confidence,
  t.severity_rank,
  t.first_seen_ns,
  t.last_seen_ns,
  p.endpoint_p95_ms,
  p.endpoint_p95_if_fixed_ms,
  p.endpoint_share
from totals as t
inner join ranked as x
  on t.service_name = x.service_name and t.endpoint = x.endpoint and t.subject = x.subject and x.exemplar_rank = 1
left join percentiles as p
  on t.service_name = p.service_name and t.endpoint = p.endpoint and t.subject = p.subject
order by t.severity_rank desc, t.avoidable_ms desc, t.service_name asc, t.endpoint asc, t.subject asc
