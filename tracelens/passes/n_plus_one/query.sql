-- One row per request and query shape that repeats within it with other parameters each time.
-- Hidden parameters cannot tell an N+1 from one query repeated: an ORM, or a list read just before, makes it likely, and so
-- does a summary span, which shows one of the queries folded into it.
select
  g.service_name,
  g.endpoint,
  g.shape as subject,
  g.trace_id,
  g.request_span_id,
  g.span_ids as offender_span_ids,
  g.covered_ms - g.longest_ms as avoidable_ms,
  case when g.variation = 'different' and not g.is_folded then 'certain' else 'likely' end as confidence,
  case
    when g.covered_ms >= $critical_above_ms then 'critical'
    when g.covered_ms < $info_below_ms and g.calls <= $info_max_repeats then 'info'
    else 'warning'
  end as severity,
  g.calls as repeats,
  g.covered_ms,
  g.variation as parameters,
  coalesce(g.source_shape, '') as source_shape
from call_groups as g
where g.family = 'db'
  and g.is_read
  -- Without query text only a name repeats, and many queries go by it.
  and g.query_shape_id is not null
  and g.calls >= $min_repeats
  and not g.is_paging
  and not g.is_paced
  and (g.variation = 'different' or (g.variation = 'hidden' and (g.has_orm or g.source_shape is not null or g.is_folded)))
order by avoidable_ms desc, g.trace_id asc, g.request_span_id asc, subject asc
