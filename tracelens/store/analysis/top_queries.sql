-- Statistics per query shape, of all the calls that were made: a call counts as often as its trace stands for under sampling,
-- and as often as the calls that were folded into it. A service, or a part of endpoints' names, restricts them to its calls.
select
  c.shape as query_shape,
  coalesce(c.db_system, '') as db_system,
  estimated(c.weight * c.times) as calls,
  weighted_sum(c.duration_ms * c.weight * c.times) / weighted_sum(c.weight * c.times) as mean_ms,
  weighted_q(c.duration_ms, c.weight * c.times, 0.95) as p95_ms,
  max(c.longest_ms) as max_ms,
  weighted_sum(c.duration_ms * c.weight * c.times) as total_ms,
  list_sort(list(distinct c.endpoint)) as endpoints
from calls as c
where c.family in ('db', 'cache')
  and c.service_name = coalesce($service_name, c.service_name)
  and position(coalesce($endpoint, '') in c.endpoint) > 0
group by c.shape, coalesce(c.db_system, '')
order by total_ms desc, query_shape asc, db_system asc
