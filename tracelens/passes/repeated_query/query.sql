-- One row per request and query that repeats within it unchanged, with no write to its tables in between.
select
  g.service_name,
  g.endpoint,
  g.shape as subject,
  g.trace_id,
  g.request_span_id,
  g.span_ids as offender_span_ids,
  g.covered_ms - g.longest_ms as avoidable_ms,
  case when g.variation = 'identical' and not g.is_folded then 'certain' else 'likely' end as confidence,
  case
    when g.covered_ms >= $critical_above_ms then 'critical'
    when g.covered_ms < $info_below_ms and g.calls <= $info_max_repeats then 'info'
    else 'warning'
  end as severity,
  g.calls as repeats,
  g.covered_ms,
  g.variation as parameters
from call_groups as g
where g.family = 'db'
  and g.is_read
  -- Without query text only a name repeats, and many queries go by it.
  and g.query_shape_id is not null
  -- A loop that pauses between identical reads and does nothing else waits for something by design.
  and (g.other_calls > 0 or g.idle_ms < g.calls * $polling_pause_ms)
  and not g.has_write_between
  and (
    (g.variation = 'identical' and g.calls >= $min_repeats)
    or (
      g.variation = 'hidden'
      and g.calls >= $min_hidden_repeats
      and not g.is_paging
      and not g.has_orm
      and not g.is_folded
      and g.source_shape is null
    )
  )
order by avoidable_ms desc, g.trace_id asc, g.request_span_id asc, subject asc
