-- Statistics per query shape.
select
  c.shape as query_shape,
  coalesce(c.db_system, '') as db_system,
  count(*) as calls,
  sum_ms(c.duration_ms) / count(*) as mean_ms,
  q(c.duration_ms, 0.95) as p95_ms,
  max(c.duration_ms) as max_ms,
  sum_ms(c.duration_ms) as total_ms,
  list_sort(list(distinct c.endpoint)) as endpoints
from calls as c
where c.family in ('db', 'cache')
group by c.shape, coalesce(c.db_system, '')
order by total_ms desc, query_shape asc, db_system asc
