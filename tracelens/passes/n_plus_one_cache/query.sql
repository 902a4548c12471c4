-- One row per request and key template that it reads key by key. What was sent together is one round trip, however many
-- spans it has; masked keys cannot tell different keys from one.
select
  g.service_name,
  g.endpoint,
  g.shape as subject,
  g.trace_id,
  g.request_span_id,
  g.span_ids as offender_span_ids,
  g.covered_ms - g.longest_ms as avoidable_ms,
  case when g.variation = 'hidden' or g.is_folded then 'likely' else 'certain' end as confidence,
  case
    when greatest(g.covered_ms, g.calls * $round_trip_ms) <= $info_below_ms then 'info'
    when greatest(g.covered_ms, g.calls * $round_trip_ms) >= $critical_above_ms then 'critical'
    else 'warning'
  end as severity,
  g.calls as repeats,
  g.covered_ms,
  case when g.variation = 'hidden' then 0 else g.distinct_parameters end as different_keys
from call_groups as g
inner join round_trips as t
  on g.trace_id = t.trace_id and g.request_span_id = t.request_span_id and g.family = t.family and g.shape = t.shape
where g.family = 'cache'
  and g.is_read
  and not reads_in_bulk(g.statement)
  and t.round_trips >= $min_repeats
  and t.pipelined_calls = 0
  and not g.is_paced
  and (g.variation = 'hidden' or g.distinct_parameters >= $min_repeats)
order by avoidable_ms desc, g.trace_id asc, g.request_span_id asc, subject asc
