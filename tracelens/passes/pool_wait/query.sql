-- One row per request that waited for a connection, of an endpoint where several do. Where no span shows that, one row per
-- pool whose metrics do.
with waits as (
  select
    w.service_name,
    w.endpoint,
    w.trace_id,
    w.request_span_id,
    ordered_list(w.span_id, w.start_ns) as span_ids,
    round(max(w.wait_ms), 3) as wait_ms,
    min(w.sign) as sign,
    max(r.weight) as weight
  from connection_waits as w
  inner join requests as r on w.trace_id = r.trace_id and w.request_span_id = r.request_span_id
  where w.wait_ms >= $min_wait_ms
    and (w.sign <> 'handover' or (w.pause_ms <= $max_pause_ms and w.peak_share >= $min_peak_share))
  group by w.service_name, w.endpoint, w.trace_id, w.request_span_id
),

endpoints as (
  select
    w.service_name,
    w.endpoint,
    estimated(w.weight) as waiting_requests,
    weighted_q(w.wait_ms, w.weight, 0.5) as median_wait_ms,
    max(w.wait_ms) as longest_wait_ms
  from waits as w
  group by w.service_name, w.endpoint
  having count(*) >= $min_waiting_requests
)

select
  w.service_name,
  w.endpoint,
  w.service_name as subject,
  w.trace_id,
  w.request_span_id,
  w.span_ids as offender_span_ids,
  w.wait_ms as avoidable_ms,
  case when w.sign = 'checkout' then 'certain' else 'likely' end as confidence,
  case when w.wait_ms >= $critical_above_ms then 'critical' else 'warning' end as severity,
  null as first_seen_ns,
  null as last_seen_ns,
  e.longest_wait_ms as wait_ms,
  e.median_wait_ms,
  e.waiting_requests,
  s.peak_requests as concurrency,
  w.sign as seen_as,
  p.pending,
  p.timeouts,
  p.mean_wait_ms,
  p.pool_used,
  p.pool_max
from waits as w
inner join endpoints as e on w.service_name = e.service_name and w.endpoint = e.endpoint
inner join service_loads as s on w.service_name = s.service_name
left join pools as p on w.service_name = p.service_name and p.place = 1
union all
select
  p.service_name,
  p.pool as endpoint,
  p.pool as subject,
  null as trace_id,
  null as request_span_id,
  [] as offender_span_ids,
  0.0 as avoidable_ms,
  'certain' as confidence,
  case when p.timeouts > 0 or p.mean_wait_ms >= $critical_above_ms then 'critical' else 'warning' end as severity,
  p.first_ns as first_seen_ns,
  p.last_ns as last_seen_ns,
  null as wait_ms,
  null as median_wait_ms,
  null as waiting_requests,
  p.wanted as concurrency,
  'metrics' as seen_as,
  p.* exclude (service_name, pool, wanted, waits, first_ns, last_ns, place)
from pools as p
where (p.pending > 0 or p.timeouts > 0 or (p.mean_wait_ms >= $min_wait_ms and p.waits >= $min_waiting_requests))
  and p.service_name not in (select e.service_name from endpoints as e)
order by avoidable_ms desc, trace_id asc, request_span_id asc, service_name asc, subject asc
