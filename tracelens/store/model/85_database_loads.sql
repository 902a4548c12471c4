-- The CPU of each database over time, and which queries load it most.

create or replace temp table database_cpu as
select
  d.host,
  coalesce(d.service_name, d.host) as service_name,
  d.identified_by,
  d.is_certain,
  d.db_system,
  h.metric_name as source,
  h.begin_ns,
  h.time_ns,
  h.utilization * 100 as cpu_percent,
  max(h.time_ns) over (partition by h.host) = h.time_ns as is_newest
from databases as d
inner join host_cpu as h on d.host = h.host;

-- One row per database that calls go to: the services that call it, and the three query shapes that take most time.
create or replace temp table database_loads as
with shapes as (
  select
    c.host,
    c.shape,
    weighted_sum(c.duration_ms * c.weight) as total_ms
  from database_calls as c
  group by c.host, c.shape
),

ranked as (
  select
    s.*,
    row_number() over (partition by s.host order by s.total_ms desc, s.shape asc) as place
  from shapes as s
),

callers as (
  select
    c.host,
    list_sort(list(distinct c.service_name)) as services,
    min(c.db_system) as db_system
  from database_calls as c
  group by c.host
)

select
  c.host,
  c.services,
  c.db_system,
  ordered_list(r.shape, r.place) as top_queries,
  ordered_list(round(r.total_ms, 3), r.place) as query_totals_ms
from callers as c
inner join ranked as r on c.host = r.host and r.place <= 3
group by c.host, c.services, c.db_system;
