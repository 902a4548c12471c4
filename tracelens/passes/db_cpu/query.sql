-- One row per request that used a database host during the longest time that its CPU was over the limit; else one without.
with samples as (
  select
    c.*,
    greatest(c.begin_ns, c.time_ns - $max_gap_s * 1e9) as from_ns,
    case when c.cpu_percent <= $limit_percent or c.time_ns - c.begin_ns > $max_gap_s * 1e9 then 1 else 0 end as breaks
  from database_cpu as c
),

runs as (
  select
    s.*,
    max(case when s.is_newest then s.cpu_percent end) over (partition by s.host) as newest_percent,
    sum(s.breaks) over (partition by s.host order by s.time_ns rows between unbounded preceding and current row) as run
  from samples as s
),

saturated as (
  select
    r.host,
    r.service_name,
    r.identified_by,
    r.is_certain,
    r.db_system,
    r.source,
    r.newest_percent,
    cast(min(r.from_ns) as bigint) as from_ns,
    max(r.time_ns) as until_ns,
    count(*) as samples,
    sum(r.cpu_percent) / count(*) as mean_percent,
    max(r.cpu_percent) as max_percent,
    row_number() over (partition by r.host order by max(r.time_ns) - min(r.from_ns) desc, max(r.time_ns) desc) as place
  from runs as r
  where r.cpu_percent > $limit_percent
  group by r.host, r.service_name, r.identified_by, r.is_certain, r.db_system, r.source, r.newest_percent, r.run
  having count(*) >= $min_samples and max(r.time_ns) - min(r.from_ns) >= $min_duration_s * 1e9
),

used as (
  select
    s.host,
    c.trace_id,
    c.request_span_id,
    ordered_list(c.span_id, c.start_ns) as span_ids,
    sum_ms(c.duration_ms) as duration_ms
  from saturated as s
  inner join database_calls as c on s.host = c.host and s.until_ns > c.start_ns and s.from_ns < c.end_ns
  where s.place = 1
  group by s.host, c.trace_id, c.request_span_id
)

select
  s.service_name,
  s.host as endpoint,
  s.host as subject,
  u.trace_id,
  u.request_span_id,
  coalesce(u.span_ids, []) as offender_span_ids,
  0.0 as avoidable_ms,
  case when s.is_certain then 'certain' else 'likely' end as confidence,
  s.from_ns as first_seen_ns,
  s.until_ns as last_seen_ns,
  coalesce(u.duration_ms, 0) as exemplar_order,
  s.host,
  round(s.newest_percent, 1) as cpu_percent,
  round(s.mean_percent, 1) as mean_percent,
  round(s.max_percent, 1) as max_percent,
  s.samples,
  round((s.until_ns - s.from_ns) / 1e9, 1) as over_s,
  s.source,
  s.identified_by,
  coalesce(s.db_system, l.db_system) as db_system,
  l.services,
  l.top_queries,
  l.query_totals_ms
from saturated as s
left join database_loads as l on s.host = l.host
left join used as u on s.host = u.host
where s.place = 1
order by exemplar_order desc, u.trace_id asc, u.request_span_id asc
