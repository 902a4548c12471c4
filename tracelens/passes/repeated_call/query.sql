-- One row per request and URL template, or cache key template, of which it asks the same again. Failed calls are retries,
-- pauses between identical calls are polling, and a value that was written in between has to be read again.
with key_writes as (
  select distinct
    c.trace_id,
    c.request_span_id,
    key_template(c.shape) as key_template
  from calls as c
  where c.family = 'cache' and not c.is_read
)

select
  g.service_name,
  g.endpoint,
  g.shape as subject,
  g.trace_id,
  g.request_span_id,
  t.repeated_span_ids as offender_span_ids,
  -- The first call of each is needed.
  t.repeated_ms * (1 - t.repeated_values * 1.0 / t.repeated_calls) as avoidable_ms,
  'certain' as confidence,
  case
    when greatest(t.repeated_ms, t.repeated_calls * $round_trip_ms) <= $info_below_ms then 'info'
    when greatest(t.repeated_ms, t.repeated_calls * $round_trip_ms) >= $critical_above_ms then 'critical'
    else 'warning'
  end as severity,
  t.repeated_calls as repeats,
  t.repeated_values as different_calls,
  t.repeated_ms as total_ms
from call_groups as g
inner join round_trips as t
  on g.trace_id = t.trace_id and g.request_span_id = t.request_span_id and g.family = t.family and g.shape = t.shape
where g.is_read
  and t.repeated_calls >= $min_repeats
  -- Many different items, some of them twice, are an N+1.
  and g.distinct_parameters < $max_different
  and not t.is_paging
  and not waits_by_design(g.shape)
  and (g.other_calls > 0 or g.idle_ms < g.calls * $polling_pause_ms)
  and not exists (
    select 1
    from key_writes as w
    where g.family = 'cache'
      and w.trace_id = g.trace_id
      and w.request_span_id = g.request_span_id
      and w.key_template in (key_template(g.shape), '?', '')
  )
order by avoidable_ms desc, g.trace_id asc, g.request_span_id asc, subject asc
