-- How much the services that have something to do with connections had to do at once.
--
-- peak_requests  most requests that were open at the same time; under sampling each counts as often as it stands for
-- processes      resources that opened connections or took them from a pool: each has a pool of its own
-- round_trip_ms  the fastest query of all

create or replace temp table service_loads as
with services as (
  select c.service_name from connections as c
  union
  select w.service_name from connection_waits as w
),

pooled as (
  select
    c.service_name,
    count(distinct s.resource_id) as processes
  from connections as c
  inner join connection_spans as s on c.trace_id = s.trace_id and c.span_id = s.span_id
  group by c.service_name
),

fastest as (
  select
    c.service_name,
    min(c.duration_ms) as round_trip_ms
  from calls as c
  where c.family = 'db' and c.service_name in (select s.service_name from services as s)
  group by c.service_name
),

changes as (
  select
    r.service_name,
    r.start_ns as at_ns,
    r.weight as change
  from requests as r
  where r.service_name in (select s.service_name from services as s)
  union all
  select
    r.service_name,
    r.end_ns as at_ns,
    -r.weight as change
  from requests as r
  where r.service_name in (select s.service_name from services as s)
),

levels as (
  select
    c.service_name,
    sum(c.change) over (
      partition by c.service_name order by c.at_ns, c.change rows between unbounded preceding and current row
    ) as open_requests
  from changes as c
)

select
  l.service_name,
  cast(round(max(l.open_requests)) as bigint) as peak_requests,
  coalesce(max(p.processes), 1) as processes,
  max(f.round_trip_ms) as round_trip_ms
from levels as l
left join pooled as p on l.service_name = p.service_name
left join fastest as f on l.service_name = f.service_name
group by l.service_name;
