-- One row per request and span that starts very many calls, each of its own: what repeats has passes that say more.
-- Frameworks put a span or two around each call, so a call counts for the spans a few levels above it.
with recursive single_calls as (
  select
    c.*,
    count(*) over (partition by c.trace_id, c.request_span_id) as calls
  from call_counts as r
  inner join calls as c on r.trace_id = c.trace_id and r.request_span_id = c.request_span_id
  left join call_groups as g
    on c.trace_id = g.trace_id and c.request_span_id = g.request_span_id and c.family = g.family and c.shape = g.shape
  left join round_trips as t
    on c.trace_id = t.trace_id and c.request_span_id = t.request_span_id and c.family = t.family and c.shape = t.shape
  -- Loops of cache writes have no pass of their own; sent together they are one.
  where r.calls >= $min_calls
    and (g.shape is null or (g.family = 'cache' and not g.is_read and t.pipelined_calls = 0 and t.round_trips >= g.calls))
),

-- The climb looks at them again and again, and most requests make few calls.
spans_above as (
  select distinct n.*
  from nodes as n
  inner join call_counts as r on n.trace_id = r.trace_id and r.calls >= $min_calls
),

climb as (
  select
    c.trace_id,
    c.request_span_id,
    c.span_id,
    c.parent_span_id as ancestor_span_id,
    1 as distance
  from single_calls as c
  where c.calls >= $min_calls
  union all
  select
    b.trace_id,
    b.request_span_id,
    b.span_id,
    n.parent_span_id as ancestor_span_id,
    b.distance + 1 as distance
  from climb as b
  inner join spans_above as n on b.trace_id = n.trace_id and b.ancestor_span_id = n.span_id
  where b.ancestor_span_id <> b.request_span_id and b.distance < $max_distance
),

parents as (
  select
    b.trace_id,
    b.request_span_id,
    b.ancestor_span_id,
    row_number() over (partition by b.trace_id, b.request_span_id order by avg(b.distance), b.ancestor_span_id) as nearness
  from climb as b
  group by b.trace_id, b.request_span_id, b.ancestor_span_id
  having count(*) >= $min_calls
)

select
  c.service_name,
  c.endpoint,
  s.name as subject,
  c.trace_id,
  c.request_span_id,
  ordered_list(c.span_id, (c.start_ns, c.span_id)) as offender_span_ids,
  -- What each call does stays to be done; a round trip, which takes no longer than the fastest of them, is saved.
  (count(*) - 1) * min(c.duration_ms) as avoidable_ms,
  'certain' as confidence,
  case when sum(c.duration_ms) >= $critical_above_ms then 'critical' else 'warning' end as severity,
  count(*) as calls,
  count(distinct c.shape) as different_calls,
  sum(c.duration_ms) as total_ms
from parents as p
inner join climb as b
  on p.trace_id = b.trace_id and p.request_span_id = b.request_span_id and p.ancestor_span_id = b.ancestor_span_id
inner join calls as c on b.trace_id = c.trace_id and b.span_id = c.span_id
inner join spans as s on p.trace_id = s.trace_id and p.ancestor_span_id = s.span_id
where p.nearness = 1
group by c.service_name, c.endpoint, s.name, c.trace_id, c.request_span_id
order by avoidable_ms desc, c.trace_id asc, c.request_span_id asc, subject asc
