-- One row per request that waited for a connection, of an endpoint where several do.
with waits as (
  select
    w.service_name,
    w.endpoint,
    w.trace_id,
    w.request_span_id,
    ordered_list(w.span_id, w.start_ns) as span_ids,
    round(max(w.wait_ms), 3) as wait_ms,
    min(w.sign) as sign
  from connection_waits as w
  where w.wait_ms >= $min_wait_ms
    and (w.sign <> 'handover' or (w.pause_ms <= $max_pause_ms and w.peak_share >= $min_peak_share))
  group by w.service_name, w.endpoint, w.trace_id, w.request_span_id
),

endpoints as (
  select
    w.service_name,
    w.endpoint,
    count(*) as waiting_requests,
    q(w.wait_ms, 0.5) as median_wait_ms,
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
  e.longest_wait_ms as wait_ms,
  e.median_wait_ms,
  e.waiting_requests,
  s.peak_requests as concurrency,
  w.sign as seen_as
from waits as w
inner join endpoints as e on w.service_name = e.service_name and w.endpoint = e.endpoint
inner join service_loads as s on w.service_name = s.service_name
order by avoidable_ms desc, w.trace_id asc, w.request_span_id asc
