-- One row per request with a slow call of a query shape that is slow: once over the critical bound, or often enough over
-- the lower one. Often enough are calls that were recorded: one that stands for many under sampling may have been chance.
with shapes as (
  select
    c.service_name,
    c.shape,
    estimated(c.weight * c.times) as calls,
    max(c.longest_ms) as slowest_ms,
    weighted_q(c.duration_ms, c.weight * c.times, 0.5) as median_ms,
    -- Of calls folded together the mean and the longest are known.
    sum(case when c.duration_ms >= $slow_ms then c.times when c.longest_ms >= $slow_ms then 1 else 0 end) as recorded_slow_calls,
    estimated(
      c.weight * case when c.duration_ms >= $slow_ms then c.times when c.longest_ms >= $slow_ms then 1 else 0 end
    ) as slow_calls
  from calls as c
  where c.family = 'db'
    -- Most windows have few shapes with a slow call, or none: the others need not be counted.
    and (c.service_name, c.shape) in (
      select
        s.service_name,
        s.shape
      from calls as s
      where s.family = 'db' and s.longest_ms >= $slow_ms
    )
  group by c.service_name, c.shape
)

select
  c.service_name,
  c.endpoint,
  c.shape as subject,
  c.trace_id,
  c.request_span_id,
  ordered_list(c.span_id, c.start_ns) as offender_span_ids,
  sum_ms(
    case when c.duration_ms >= $slow_ms then c.times * (c.duration_ms - $healthy_ms) else c.longest_ms - $healthy_ms end
  ) as avoidable_ms,
  'certain' as confidence,
  case when max(s.slowest_ms) > $critical_ms then 'critical' else 'warning' end as severity,
  max(s.slowest_ms) as slowest_ms,
  max(s.slow_calls) as slow_calls,
  max(s.calls) as calls,
  max(s.median_ms) as median_ms
from calls as c
inner join shapes as s on c.service_name = s.service_name and c.shape = s.shape
where c.family = 'db'
  and c.longest_ms >= $slow_ms
  and c.longest_ms > $healthy_ms
  and (s.slowest_ms > $critical_ms or s.recorded_slow_calls >= $min_slow_calls)
group by c.service_name, c.endpoint, c.shape, c.trace_id, c.request_span_id
order by avoidable_ms desc, c.trace_id asc, c.request_span_id asc, subject asc
