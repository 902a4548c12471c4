-- What metrics measured, under one name and in one unit each, whatever their sender calls them (semconv/metric_names.toml).
--
-- begin_ns, time_ns   the time that a value covers; equal for what is measured at one moment
-- value               of a gauge: the value; of a monotonic sum: its increase; of histograms and summaries: the sum's increase
-- count               how many measurements went into it: 1, or the increase of a histogram's count

create or replace temp table metric_points as
with samples as (
  select
    s.series_id,
    r.service_name,
    s.resource_id,
    s.metric_name,
    s.name,
    s.preference,
    s.state,
    s.cpu,
    s.part,
    s.pool,
    s.host,
    s.kind,
    s.temporality,
    s.is_monotonic,
    s.scale,
    p.start_ns,
    p.time_ns,
    case when s.kind in ('gauge', 'sum') then p.value else p.sum end as value,
    case when s.kind in ('gauge', 'sum') then 1 else p.count end as count
  from metric_series as s
  inner join data_points as p on s.series_id = p.series_id
  left join resources as r on s.resource_id = r.resource_id
  where s.name is not null
    and p.time_ns >= $start_ns and p.time_ns < $end_ns and p.received_ns >= $received_since_ns
    -- A sum that goes up and down is only known where its sender adds it up.
    and not (s.kind = 'sum' and not s.is_monotonic and s.temporality = 'delta')
),

followed as (
  select
    m.*,
    max(m.time_ns) over previous as previous_ns,
    max(m.value) over previous as previous_value,
    max(m.count) over previous as previous_count
  from samples as m
  where is_number(m.value)
  window previous as (
    partition by m.series_id order by m.time_ns, m.start_ns rows between 1 preceding and 1 preceding
  )
)

select
  f.series_id,
  f.service_name,
  f.resource_id,
  f.metric_name,
  f.name,
  f.preference,
  f.state,
  f.cpu,
  f.part,
  f.pool,
  f.host,
  f.kind,
  case
    when f.kind in ('gauge', 'summary') or (f.kind = 'sum' and not f.is_monotonic) then f.time_ns
    when f.temporality = 'delta' then f.start_ns
    else f.previous_ns
  end as begin_ns,
  f.time_ns,
  case
    when f.kind in ('gauge', 'summary') or (f.kind = 'sum' and not f.is_monotonic) or f.temporality = 'delta' then f.value
    else f.value - f.previous_value
  end * f.scale as value,
  case
    when f.kind in ('gauge', 'sum', 'summary') or f.temporality = 'delta' then f.count
    else f.count - f.previous_count
  end as count
from followed as f
where f.kind in ('gauge', 'summary')
  or (f.kind = 'sum' and not f.is_monotonic)
  or f.temporality = 'delta'
  -- What is added up is known from its second value on. Where it starts again, or goes back, that value says nothing.
  or (f.value >= f.previous_value and f.count >= f.previous_count and f.start_ns <= f.previous_ns);
