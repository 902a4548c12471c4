-- One row per request and run of independent reads that one span makes one after another. See serial_reads for what ends
-- a run. Independence is a guess from outside, so the finding is never more than likely.
select
  r.service_name,
  r.endpoint,
  argmax(r.shape, (-r.start_ns, r.shape)) as subject,
  r.trace_id,
  r.request_span_id,
  ordered_list(r.span_id, (r.start_ns, r.span_id)) as offender_span_ids,
  sum(r.duration_ms) - max(r.duration_ms) as avoidable_ms,
  'likely' as confidence,
  case when sum(r.duration_ms) - max(r.duration_ms) >= $critical_above_ms then 'critical' else 'warning' end as severity,
  count(*) as calls,
  sum(r.duration_ms) as total_ms,
  max(r.duration_ms) as slowest_ms,
  ordered_list(r.shape, (r.start_ns, r.span_id)) as call_shapes
from serial_reads as r
inner join requests as q on r.trace_id = q.trace_id and r.request_span_id = q.request_span_id
group by r.service_name, r.endpoint, r.trace_id, r.request_span_id, r.caller_span_id, r.run_number
having count(*) >= $min_calls
  and sum(r.duration_ms) - max(r.duration_ms) >= $min_saving_ms
  and sum(r.duration_ms) - max(r.duration_ms) >= max(q.duration_ms) * $min_saving_share
order by avoidable_ms desc, r.trace_id asc, r.request_span_id asc, subject asc
