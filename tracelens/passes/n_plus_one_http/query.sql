-- One row per request and URL template, or RPC method, that it calls once per item: together or one after another.
-- Retries fail before they succeed, pages differ in their number alone, and one URL asked again is no list of items.
select
  g.service_name,
  g.endpoint,
  g.shape as subject,
  g.trace_id,
  g.request_span_id,
  g.span_ids as offender_span_ids,
  g.covered_ms - g.longest_ms as avoidable_ms,
  case when g.distinct_parameters >= $min_repeats and not g.is_folded then 'certain' else 'likely' end as confidence,
  case
    when g.total_ms <= $info_below_ms then 'info'
    when g.covered_ms >= $critical_above_ms then 'critical'
    else 'warning'
  end as severity,
  g.calls as repeats,
  g.covered_ms,
  case when t.round_trips < g.calls then 'together' else 'one after another' end as made,
  case when g.is_read and g.variation <> 'hidden' then g.distinct_parameters else 0 end as different_calls
from call_groups as g
inner join round_trips as t
  on g.trace_id = t.trace_id and g.request_span_id = t.request_span_id and g.family = t.family and g.shape = t.shape
where g.family in ('http', 'rpc')
  and g.calls - t.failed_calls >= $min_repeats
  and not t.is_paging
  and not g.is_paced
  and not is_multiplexed(g.shape)
  and not waits_by_design(g.shape)
  -- A body may name the item where the URL does not; a GET has none.
  and (g.distinct_parameters >= $min_repeats or (not g.is_read and g.statement = 'post') or g.variation = 'hidden')
order by avoidable_ms desc, g.trace_id asc, g.request_span_id asc, subject asc
