-- One row per request and statement with which it writes row by row. A statement with several rows, a list of keys or a
-- LIMIT writes in batches already; a transaction around the loop saves the commits and none of the round trips.
select
  g.service_name,
  g.endpoint,
  g.shape as subject,
  g.trace_id,
  g.request_span_id,
  g.span_ids as offender_span_ids,
  g.covered_ms - g.longest_ms as avoidable_ms,
  case when b.affects_many is null or g.is_folded then 'likely' else 'certain' end as confidence,
  case
    when greatest(g.covered_ms, g.calls * $round_trip_ms) <= $info_below_ms then 'info'
    when greatest(g.covered_ms, g.calls * $round_trip_ms) >= $critical_above_ms then 'critical'
    else 'warning'
  end as severity,
  g.calls as writes,
  g.statement,
  g.covered_ms
from call_groups as g
left join write_batches as b on g.query_shape_id = b.query_shape_id
where g.family = 'db'
  and g.statement in ('insert', 'update', 'delete', 'replace', 'merge', 'upsert')
  and g.calls >= $min_writes
  and g.batch_size <= 1
  and not coalesce(b.affects_many, false)
order by avoidable_ms desc, g.trace_id asc, g.request_span_id asc, subject asc
