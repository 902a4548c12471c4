-- One row per request and URL template, RPC method or destination of which a call was slow. Calls that wait for an event
-- by design, and reads that came back with nothing new, as long polls do, are not slow; and where the called service spent
-- its time in a call of its own, that one is.
with slow as (
  select
    c.*,
    w.waited_ms
  from waits as w
  inner join calls as c on w.trace_id = c.trace_id and w.span_id = c.span_id
  where w.waited_ms >= $slow_ms
    and not w.is_passed_on
    and not waits_by_design(coalesce(w.url, c.shape))
    and not (c.is_read and w.is_empty_answer)
),

shapes as (
  select
    c.service_name,
    c.shape,
    estimated(c.weight * c.times) as calls,
    estimated(case when s.span_id is null then 0 else c.weight end) as slow_calls,
    estimated(case when s.is_error then c.weight else 0 end) as failed_calls,
    max(s.duration_ms) as slowest_ms
  from calls as c
  left join slow as s on c.trace_id = s.trace_id and c.span_id = s.span_id
  where c.family in ('http', 'rpc', 'messaging')
  group by c.service_name, c.shape
)

select
  s.service_name,
  s.endpoint,
  s.shape as subject,
  s.trace_id,
  s.request_span_id,
  ordered_list(s.span_id, s.start_ns) as offender_span_ids,
  sum(greatest(0, s.waited_ms - $healthy_ms)) as avoidable_ms,
  'certain' as confidence,
  case when max(s.waited_ms) >= $critical_ms then 'critical' else 'warning' end as severity,
  max(h.slowest_ms) as slowest_ms,
  max(h.slow_calls) as slow_calls,
  max(h.calls) as calls,
  max(h.failed_calls) as failed_calls
from slow as s
inner join shapes as h on s.service_name = h.service_name and s.shape = h.shape
group by s.service_name, s.endpoint, s.shape, s.trace_id, s.request_span_id
order by avoidable_ms desc, s.trace_id asc, s.request_span_id asc, subject asc
