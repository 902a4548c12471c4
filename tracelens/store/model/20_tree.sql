-- For every span: the request it belongs to, and the call that encloses it.
--
-- A request starts at a span without a parent in the data, and at a SERVER or CONSUMER span whose parent is in another
-- service or is the CLIENT or PRODUCER side of it: frameworks that emit two SERVER spans for one request start one.
-- While spans arrive, one whose parent is missing may only be early: until it has settled, it starts no request.
-- A call belongs to the nearest request above it, through any number of internal spans.

create or replace temp table linked_nodes as
select
  n.trace_id,
  n.span_id,
  n.parent_span_id,
  p.span_id is null and (n.parent_span_id is null or n.kind in (2, 5) or n.received_ns < $settled_before_ns) as is_root,
  p.span_id is null as is_parentless,
  n.received_ns,
  n.kind in (2, 5) and (p.service_name <> n.service_name or p.kind in (3, 4)) as is_entry,
  n.family is not null and n.role = 'query' as is_call,
  n.span_shape_id
from nodes as n
left join nodes as p on n.trace_id = p.trace_id and n.parent_span_id = p.span_id and n.span_id <> p.span_id;

-- All requests at once, each down to where the next begins: the recursion is as deep as one request, not as a trace.
create or replace temp table tree as
with recursive walk as (
  select
    r.trace_id,
    r.span_id,
    r.span_id as request_span_id,
    cast(null as ubigint) as enclosing_call_id,
    r.is_call,
    0 as depth
  from linked_nodes as r
  where r.is_root or r.is_entry
  union all
  select
    c.trace_id,
    c.span_id,
    w.request_span_id,
    case when w.is_call then w.span_id else w.enclosing_call_id end as enclosing_call_id,
    c.is_call,
    w.depth + 1 as depth
  from walk as w
  inner join linked_nodes as c on w.trace_id = c.trace_id and w.span_id = c.parent_span_id
  -- A hostile trace can be 200,000 deep; no real request is deeper than this.
  where w.depth < 500 and not c.is_root and not c.is_entry
)

select
  trace_id,
  span_id,
  request_span_id,
  enclosing_call_id,
  is_call
from walk;
