-- One row per request that made a read which many requests make with the same parameters, while nothing writes its tables.
-- Hidden parameters are taken to be equal where the same URL was asked for, each request reading once: likely, not certain.
-- Under sampling the minima count what was recorded, the numbers told are estimates, and a write may have gone unseen.
with reads as (
  select
    c.*,
    c.parameter_hash is null as is_hidden,
    coalesce(c.parameter_hash, text_hash(a.url)) as identity,
    min(c.start_ns) over (partition by c.service_name, c.shape, coalesce(c.parameter_hash, text_hash(a.url))) as first_ns
  from calls as c
  left join call_groups as g
    on c.trace_id = g.trace_id and c.request_span_id = g.request_span_id and c.family = g.family and c.shape = g.shape
  left join responses as a
    on c.parameter_hash is null
      and c.trace_id = a.trace_id
      and c.request_span_id = a.request_span_id
      and a.http_method = 'GET'
      and not a.is_personal
      and not a.is_probe
  where c.family = 'db'
    and c.is_read
    and (c.parameter_hash is not null or a.url is not null)
    and c.entry_kind in ('server', 'consumer')
    -- Repeats inside one request have their own passes.
    and g.shape is null
),

periods as (
  select
    r.service_name,
    r.shape,
    r.identity,
    r.start_ns - r.first_ns - (r.start_ns - r.first_ns) % greatest(1, cast($window_s as bigint) * 1000000000) as period_ns,
    min(r.query_shape_id) as query_shape_id,
    count(*) as recorded_reads,
    greatest(count(distinct r.trace_id), count(distinct r.request_span_id)) as recorded_requests,
    estimated(r.weight) as reads,
    min(r.start_ns) as from_ns,
    max(r.start_ns) as to_ns,
    weighted_sum(r.duration_ms * r.weight) as total_ms,
    max(r.duration_ms) as longest_ms,
    argmax(r.endpoint, (r.start_ns, r.endpoint)) as endpoint
  from reads as r
  group by r.service_name, r.shape, r.identity, period_ns
  having count(*) >= $min_reads and greatest(count(distinct r.trace_id), count(distinct r.request_span_id)) >= $min_requests
),

unwritten as (
  select p.*
  from periods as p
  where not exists (
      select 1
      from shape_tables as t
      inner join table_writes as w on t.table_name = w.table_name
      where t.query_shape_id = p.query_shape_id and w.start_ns > p.from_ns and w.start_ns < p.to_ns
    )
),

-- By the second: a table may be written more often than it is worth to compare each write with each period.
written_seconds as (
  select
    t.query_shape_id,
    w.start_ns - w.start_ns % 1000000000 as second_ns
  from shape_tables as t
  inner join table_writes as w on t.table_name = w.table_name
  where t.query_shape_id in (select u.query_shape_id from unwritten as u)
  group by t.query_shape_id, second_ns
),

-- How long nothing wrote the tables around the reads: a lifetime up to this would not have served a stale value.
lifetimes as (
  select
    u.service_name,
    u.shape,
    u.identity,
    u.period_ns,
    greatest(1, floor(least(
      $max_ttl_s,
      coalesce((min(case when w.second_ns >= u.to_ns then w.second_ns end) - u.from_ns) / 1e9, $max_ttl_s),
      coalesce((u.to_ns - max(case when w.second_ns < u.from_ns then w.second_ns end)) / 1e9, $max_ttl_s)
    ))) as ttl_s
  from unwritten as u
  left join written_seconds as w on u.query_shape_id = w.query_shape_id
  group by u.service_name, u.shape, u.identity, u.period_ns, u.from_ns, u.to_ns
)

select
  u.service_name,
  u.endpoint,
  u.shape as subject,
  r.trace_id,
  r.request_span_id,
  ordered_list(r.span_id, r.start_ns) as offender_span_ids,
  sum_ms(r.duration_ms) * max(1.0 - u.longest_ms / greatest(u.total_ms, u.longest_ms)) as avoidable_ms,
  case when max(u.reads > u.recorded_reads) or max(r.is_hidden) then 'likely' else 'certain' end as confidence,
  case when max(u.total_ms - u.longest_ms) >= $warning_above_ms then 'warning' else 'info' end as severity,
  max(u.reads) as reads,
  max(cast(round(u.recorded_requests * u.reads / u.recorded_reads) as bigint)) as requests,
  round(max((u.reads - 1.0) / u.reads), 3) as hit_rate,
  round(max(u.total_ms - u.longest_ms), 3) as saved_ms,
  max(l.ttl_s) as ttl_s
from unwritten as u
inner join lifetimes as l
  on u.service_name = l.service_name and u.shape = l.shape and u.identity = l.identity and u.period_ns = l.period_ns
inner join reads as r
  on u.service_name = r.service_name
    and u.shape = r.shape
    and u.identity = r.identity
    and r.start_ns between u.from_ns and u.to_ns
group by u.service_name, u.endpoint, u.shape, r.trace_id, r.request_span_id
order by avoidable_ms desc, r.trace_id asc, r.request_span_id asc, subject asc
