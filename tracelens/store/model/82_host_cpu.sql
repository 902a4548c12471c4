-- CPU utilisation of every host over time, as a share of the whole host: 0 to 1.
--
-- By state    busy time of all processors over busy and idle time: the same for ratios, percent and seconds. Where the
--             idle state is not sent, busy time over the number of processors.
-- In cores    what is used over the limit of the same part, as far as that is known.
-- Directly    as it is sent.

create or replace temp table host_utilization as
with states as (
  select
    p.host,
    p.part,
    p.metric_name,
    p.preference,
    p.time_ns,
    p.resource_id,
    min(p.begin_ns) as begin_ns,
    sum(case when p.state = 'busy' then p.value else 0 end) as busy,
    sum(case when p.state = 'idle' then p.value else 0 end) as idle,
    sum(case when p.state = 'idle' then 1 else 0 end) as idle_series,
    count(*) as series,
    count(distinct coalesce(p.cpu, '')) as cpus,
    max(case when p.kind = 'gauge' then 1 else (p.time_ns - p.begin_ns) / 1e9 end) as span_s
  from metric_points as p
  where p.name = 'cpu.state' and p.state <> 'ignored'
  group by p.host, p.part, p.metric_name, p.preference, p.time_ns, p.resource_id
),

-- Where a series is missing, because a counter went back, the others would give a wrong picture.
whole_states as (
  select s.*
  from (
    select
      t.*,
      max(t.series) over (partition by t.host, t.part, t.metric_name, t.resource_id) as most_series
    from states as t
  ) as s
  where s.series = s.most_series
),

limits as (
  select
    l.host,
    l.part,
    min(l.value) as cores
  from metric_points as l
  where l.name = 'cpu.limit' and l.value > 0
  group by l.host, l.part
),

used as (
  select
    p.host,
    p.part,
    p.metric_name,
    p.preference,
    p.begin_ns,
    p.time_ns,
    p.resource_id,
    case when p.kind = 'gauge' then p.value else p.value * 1e9 / greatest(p.time_ns - p.begin_ns, 1) end
    / coalesce(own.cores, whole.cores) as utilization
  from metric_points as p
  left join limits as own on p.host = own.host and p.part = own.part
  left join limits as whole on p.host = whole.host and whole.part = ''
  where p.name = 'cpu.usage'
)

select
  s.host,
  s.part,
  s.metric_name,
  s.preference,
  s.resource_id,
  s.begin_ns,
  s.time_ns,
  s.busy / case when s.idle_series > 0 then s.busy + s.idle else s.cpus * s.span_s end as utilization
from whole_states as s
where s.busy + s.idle > 0 and (s.idle_series > 0 or s.span_s > 0)
union all
select
  u.host,
  u.part,
  u.metric_name,
  u.preference,
  u.resource_id,
  u.begin_ns,
  u.time_ns,
  u.utilization
from used as u
where u.utilization is not null
union all
select
  p.host,
  p.part,
  p.metric_name,
  p.preference,
  p.resource_id,
  p.begin_ns,
  p.time_ns,
  p.value / p.count as utilization
from metric_points as p
where p.name = 'cpu.utilization' and p.count > 0;

-- Where several sources tell of a host, the preferred one counts; of its parts, the one with most to do.
create or replace temp table host_cpu as
with sources as (
  select
    u.host,
    u.part,
    u.metric_name,
    u.preference,
    sum(u.utilization) / count(*) as mean_utilization
  from host_utilization as u
  group by u.host, u.part, u.metric_name, u.preference
),

ranked as (
  select
    s.*,
    row_number() over (
      partition by s.host order by s.preference asc, s.mean_utilization desc, s.metric_name asc, s.part asc
    ) as source_rank
  from sources as s
)

select
  u.host,
  u.part,
  u.metric_name,
  max(u.resource_id) as resource_id,
  max(u.utilization) as utilization,
  u.time_ns,
  -- A value that is measured at one moment stands for the time since the one before.
  least(
    min(u.begin_ns),
    coalesce(
      max(u.time_ns) over (
        partition by u.host order by u.time_ns rows between 1 preceding and 1 preceding
      ),
      min(u.begin_ns)
    )
  ) as begin_ns
from host_utilization as u
inner join ranked as r
  on u.host = r.host and u.part = r.part and u.metric_name = r.metric_name and r.source_rank = 1
group by u.host, u.part, u.metric_name, u.time_ns;
