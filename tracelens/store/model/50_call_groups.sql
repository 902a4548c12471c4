-- How many calls a request makes.
create or replace temp table call_counts as
select
  c.trace_id,
  c.request_span_id,
  count(*) as calls
from call_rows as c
group by c.trace_id, c.request_span_id;

-- Calls of one shape that repeat within one request, three times or more.
--
-- variation     different   the parameters are visible and mostly differ
--               identical   they are visible and mostly the same
--               hidden      the text has placeholders or masks and nothing shows what they held, or a summary span stands
--                           for them, which shows one of them
-- covered_ms    time in which at least one of the calls was running: overlap counts once
-- idle_ms       time between the first and the last of them in which the request had no call open at all
-- is_folded     a summary span stands for some of them
-- is_paced      it says that they came with pauses in which the request did nothing else, as a loop that waits makes them
-- source_shape  the last read before them that can give many rows and is not made as often as they are, as what else a loop
--               does is: what a loop would iterate over

create or replace temp table repeating as
with
-- Most requests make few calls, and most calls come once: what follows is for the rest alone.
repeated as (
  select
    c.trace_id,
    c.request_span_id,
    c.family,
    c.shape
  from calls as c
  group by c.trace_id, c.request_span_id, c.family, c.shape
  having sum(c.times) >= 3
)

select
  c.trace_id,
  c.request_span_id,
  c.family,
  c.shape,
  min(c.query_shape_id) as query_shape_id,
  cast(sum(c.times) as bigint) as calls,
  max(c.times) > 1 as is_folded,
  min(c.start_ns) as first_start_ns,
  max(case when c.times > 1 then c.end_ns + c.idle_ns else c.start_ns end) as last_start_ns,
  sum(c.idle_ns) as folded_idle_ns,
  cast(sum(case when c.parameter_hash is not null then c.times else 0 end) as bigint) as visible_calls,
  count(distinct c.parameter_hash) as distinct_parameters
from calls as c
inner join repeated as r
  on c.trace_id = r.trace_id and c.request_span_id = r.request_span_id and c.family = r.family and c.shape = r.shape
group by c.trace_id, c.request_span_id, c.family, c.shape;

create or replace temp table repeat_facts as
with single_rows as (
  select h.query_shape_id
  from query_shapes as h
  where h.single_row_lookup or (h.aggregates and not matches(h.query_shape, '(?i)\bgroup\s+by\b'))
),

sources as (
  select
    r.trace_id,
    r.request_span_id,
    r.family,
    r.shape,
    argmax(c.shape, (c.start_ns, c.shape)) as source_shape,
    argmax(c.query_shape_id, (c.start_ns, c.shape)) as source_shape_id
  from repeating as r
  inner join calls as c on r.trace_id = c.trace_id and r.request_span_id = c.request_span_id
  left join repeating as o
    on c.trace_id = o.trace_id and c.request_span_id = o.request_span_id and c.family = o.family and c.shape = o.shape
  where c.is_read
    and c.query_shape_id not in (select l.query_shape_id from single_rows as l)
    and c.shape <> r.shape
    and c.start_ns < r.first_start_ns
    and coalesce(o.calls, 1) < r.calls
  group by r.trace_id, r.request_span_id, r.family, r.shape
),

others as (
  select
    r.trace_id,
    r.request_span_id,
    r.family,
    r.shape,
    count(*) as other_calls
  from repeating as r
  inner join calls as c on r.trace_id = c.trace_id and r.request_span_id = c.request_span_id
  where c.shape <> r.shape and c.start_ns >= r.first_start_ns and c.start_ns <= r.last_start_ns
  group by r.trace_id, r.request_span_id, r.family, r.shape
),

writes as (
  select
    r.trace_id,
    r.request_span_id,
    r.family,
    r.shape,
    count(*) as writes
  from repeating as r
  inner join table_writes as w on r.trace_id = w.trace_id and r.request_span_id = w.request_span_id
  inner join shape_tables as t on r.query_shape_id = t.query_shape_id and w.table_name = t.table_name
  where w.start_ns >= r.first_start_ns and w.start_ns <= r.last_start_ns
  group by r.trace_id, r.request_span_id, r.family, r.shape
)

select
  r.*,
  s.source_shape,
  s.source_shape_id,
  coalesce(o.other_calls, 0) as other_calls,
  coalesce(w.writes, 0) > 0 as has_write_between,
  p.query_shape_id is not null as is_paging
from repeating as r
left join sources as s
  on r.trace_id = s.trace_id and r.request_span_id = s.request_span_id and r.family = s.family and r.shape = s.shape
left join others as o
  on r.trace_id = o.trace_id and r.request_span_id = o.request_span_id and r.family = o.family and r.shape = o.shape
left join writes as w
  on r.trace_id = w.trace_id and r.request_span_id = w.request_span_id and r.family = w.family and r.shape = w.shape
left join paging_shapes as p on r.query_shape_id = p.query_shape_id;

create or replace temp table call_groups as
with ordered as (
  select
    c.*,
    max(c.end_ns) over (
      partition by c.trace_id, c.request_span_id, c.family, c.shape
      order by c.start_ns, c.end_ns, c.span_id
      rows between unbounded preceding and 1 preceding
    ) as busy_until_ns
  from calls as c
  inner join repeating as r
    on c.trace_id = r.trace_id and c.request_span_id = r.request_span_id and c.family = r.family and c.shape = r.shape
),

grouped as (
  select
    o.service_name,
    o.endpoint,
    o.entry_kind,
    o.trace_id,
    o.request_span_id,
    o.family,
    o.shape,
    min(o.statement) as statement,
    min(o.is_read) as is_read,
    ordered_list(o.span_id, o.start_ns) as span_ids,
    max(o.end_ns) as last_end_ns,
    as_ms(sum(greatest(0, o.end_ns - greatest(o.start_ns, coalesce(o.busy_until_ns, o.start_ns))))) as covered_ms,
    max(o.longest_ms) as longest_ms,
    sum_ms(o.duration_ms * o.times) as total_ms,
    max(o.batch_size) as batch_size,
    max(o.is_orm) as has_orm
  from ordered as o
  group by o.service_name, o.endpoint, o.entry_kind, o.trace_id, o.request_span_id, o.family, o.shape
)

select
  g.*,
  f.query_shape_id,
  f.calls,
  f.is_folded,
  -- As long as an impatient loop waits: 50 ms.
  f.is_folded and f.other_calls = 0 and f.folded_idle_ns >= f.calls * 50000000 as is_paced,
  case
    when f.visible_calls < f.calls then 'hidden'
    when f.distinct_parameters * 2 > f.calls then 'different'
    else 'identical'
  end as variation,
  f.distinct_parameters,
  f.first_start_ns,
  as_ms(g.last_end_ns - f.first_start_ns) - g.covered_ms as idle_ms,
  f.other_calls,
  f.has_write_between,
  f.is_paging,
  f.source_shape,
  f.source_shape_id
from grouped as g
inner join repeat_facts as f
  on g.trace_id = f.trace_id and g.request_span_id = f.request_span_id and g.family = f.family and g.shape = f.shape;
