-- One row per request and destination to which it publishes message by message. Publishes that were in flight together
-- travel as a batch: brokers' clients collect them, and some instrumentations give each message of a batch a span.
select
  g.service_name,
  g.endpoint,
  g.shape as subject,
  g.trace_id,
  g.request_span_id,
  g.span_ids as offender_span_ids,
  g.covered_ms - g.longest_ms as avoidable_ms,
  case when g.family = 'messaging' and not g.is_folded then 'certain' else 'likely' end as confidence,
  case
    when greatest(g.covered_ms, g.calls * $round_trip_ms) <= $info_below_ms then 'info'
    when greatest(g.covered_ms, g.calls * $round_trip_ms) >= $critical_above_ms then 'critical'
    else 'warning'
  end as severity,
  g.calls as repeats,
  g.covered_ms
from call_groups as g
inner join round_trips as t
  on g.trace_id = t.trace_id and g.request_span_id = t.request_span_id and g.family = t.family and g.shape = t.shape
where (g.family = 'messaging' or (g.family = 'cache' and g.statement in ('publish', 'spublish', 'xadd', 'lpush', 'rpush')))
  and t.round_trips >= $min_repeats
  and g.calls - t.failed_calls >= $min_repeats
  and t.pipelined_calls = 0
  and g.batch_size <= 1
order by avoidable_ms desc, g.trace_id asc, g.request_span_id asc, subject asc
