-- What metrics tell of connection pools: one row per service and pool.
--
-- pending       most requests that waited for a connection at one moment; null where none did
-- timeouts      requests that gave up waiting; null where none did
-- wanted        most connections that were in use or waited for at one moment
-- waits         how often a connection was waited for, as far as that was measured
-- mean_wait_ms  for how long on average
-- place         among the service's pools: 1 is the one that is waited for most

create or replace temp table pools as
with moments as (
  select
    p.service_name,
    p.pool,
    p.resource_id,
    p.time_ns,
    sum(case when p.name = 'db.client.connection.pending_requests' then p.value end) as pending,
    sum(case when p.name = 'db.client.connection.count' and p.state = 'used' then p.value end) as used,
    sum(case when p.name = 'db.client.connection.max' then p.value end) as size
  from metric_points as p
  where p.name in ('db.client.connection.pending_requests', 'db.client.connection.count', 'db.client.connection.max')
  group by p.service_name, p.pool, p.resource_id, p.time_ns
),

levels as (
  select
    m.service_name,
    m.pool,
    max(m.pending) as pending,
    max(m.used) as used,
    max(m.size) as size,
    max(coalesce(m.pending, 0) + coalesce(m.used, m.size, 0)) as wanted,
    min(case when m.pending > 0 then m.time_ns end) as pending_from_ns,
    max(case when m.pending > 0 then m.time_ns end) as pending_until_ns
  from moments as m
  group by m.service_name, m.pool
),

waiting as (
  select
    p.service_name,
    p.pool,
    sum(case when p.name = 'db.client.connection.timeouts' then p.value end) as timeouts,
    sum(case when p.name = 'db.client.connection.wait_time' then p.count when p.name = 'pool.waits' then p.value end) as waits,
    sum(case when p.name in ('db.client.connection.wait_time', 'pool.wait_total') then p.value end) as waited_s,
    min(case when p.value > 0 then p.begin_ns end) as waited_from_ns,
    max(p.time_ns) as waited_until_ns
  from metric_points as p
  where p.name in (
      'db.client.connection.timeouts', 'db.client.connection.wait_time', 'pool.waits', 'pool.wait_total'
    )
  group by p.service_name, p.pool
)

select
  coalesce(l.service_name, w.service_name) as service_name,
  coalesce(nullif(coalesce(l.pool, w.pool), ''), l.service_name, w.service_name) as pool,
  cast(nullif(l.pending, 0) as bigint) as pending,
  cast(nullif(w.timeouts, 0) as bigint) as timeouts,
  round(w.waited_s * 1000 / nullif(w.waits, 0), 3) as mean_wait_ms,
  cast(l.used as bigint) as pool_used,
  cast(l.size as bigint) as pool_max,
  cast(l.wanted as bigint) as wanted,
  cast(coalesce(w.waits, 0) as bigint) as waits,
  coalesce(l.pending_from_ns, w.waited_from_ns) as first_ns,
  coalesce(l.pending_until_ns, w.waited_until_ns) as last_ns,
  row_number() over (
    partition by coalesce(l.service_name, w.service_name)
    order by l.pending desc, w.timeouts desc, w.waited_s desc, coalesce(l.pool, w.pool) asc
  ) as place
from levels as l
full join waiting as w on l.service_name = w.service_name and l.pool = w.pool;
