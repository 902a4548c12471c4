-- Of a slice, one row per service: nobody asks about a single trace.
select
  e.service_name,
  sum(e.sampled) as sampled,
  sum(e.sampled_weight) as sampled_weight,
  sum(e.sampling_hints) as sampling_hints,
  sum(e.lost_parents) as lost_parents,
  sum(e.unseen_callers) as unseen_callers,
  sum(e.called) as called,
  sum(e.skewed) as skewed,
  max(e.skew_ms) as skew_ms,
  sum(e.routed) as routed,
  sum(e.routeless) as routeless,
  sum(e.rate_limits) as rate_limits,
  sum(e.field_choices) as field_choices,
  sum(e.timed_out) as timed_out,
  sum(e.lifetimes) as lifetimes,
  sum(e.endless) as endless,
  sum(e.cache_deletions) as cache_deletions
from trace_evidence as e
group by e.service_name
