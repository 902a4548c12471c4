-- Runs of reads that one span makes one after another and that look independent of each other, in requests that somebody
-- waits for. run_number numbers the runs under one caller.
--
-- A run ends at a write, at a pause, and at a call that overlaps the one before. Not in it are reads that seem to need an
-- earlier answer (a query filtered by a list of keys, a URL with an id that the request itself did not name, a login),
-- that read a table again, or that share the connection of a transaction that writes.
--
-- Reads shorter than 10 ms, and requests whose reads together would save less than 50 ms, are left out: there is nothing to
-- gain. A pause is more than 10 ms and more than half as long as the call after it: the request was at work, perhaps on the
-- answer. Start times may be cut to whole milliseconds, so an overlap of one is none.

create or replace temp table slow_requests as
with slow as (
  select
    c.trace_id,
    c.request_span_id
  from calls as c
  where c.is_read and c.duration_ms >= 10 and c.entry_kind = 'server' and c.family in ('db', 'http', 'rpc')
  group by c.trace_id, c.request_span_id
  having count(*) >= 3 and min(c.shape) <> max(c.shape) and sum(c.duration_ms) - max(c.duration_ms) >= 50
)

select
  r.trace_id,
  r.request_span_id,
  max(full_url(s.url_full, s.url_path, s.url_query)) as url
from slow as r
left join spans as s on r.trace_id = s.trace_id and r.request_span_id = s.span_id
group by r.trace_id, r.request_span_id;

create or replace temp table slow_request_nodes as
select
  n.trace_id,
  n.span_id,
  n.parent_span_id,
  n.kind,
  n.scope_id,
  n.role
from nodes as n
where n.trace_id in (select r.trace_id from slow_requests as r);

create or replace temp table writing_transactions as
select
  r.trace_id,
  r.request_span_id
from slow_requests as r
inner join slow_request_nodes as n on r.trace_id = n.trace_id and n.role = 'transaction'
inner join tree as t on n.trace_id = t.trace_id and n.span_id = t.span_id and r.request_span_id = t.request_span_id
inner join calls as c on r.trace_id = c.trace_id and r.request_span_id = c.request_span_id and c.family = 'db' and not c.is_read
group by r.trace_id, r.request_span_id;

-- Who makes a call: the nearest span above it that makes another one too. ORMs and drivers put a span or two around each
-- call; where such a span of an ORM's makes several, they are the ORM's business.
create or replace temp table callers as
with recursive climb as (
  select
    c.trace_id,
    c.request_span_id,
    c.span_id,
    c.parent_span_id as ancestor_span_id,
    1 as distance
  from slow_requests as r
  inner join calls as c on r.trace_id = c.trace_id and r.request_span_id = c.request_span_id
  union all
  select
    b.trace_id,
    b.request_span_id,
    b.span_id,
    n.parent_span_id as ancestor_span_id,
    b.distance + 1 as distance
  from climb as b
  inner join slow_request_nodes as n on b.trace_id = n.trace_id and b.ancestor_span_id = n.span_id
  where b.ancestor_span_id <> b.request_span_id and b.distance < 50
),

crowds as (
  select
    b.trace_id,
    b.ancestor_span_id
  from climb as b
  group by b.trace_id, b.ancestor_span_id
  having count(*) > 1
)

select
  b.trace_id,
  b.span_id,
  argmax(b.ancestor_span_id, (-b.distance, b.ancestor_span_id)) as caller_span_id,
  argmax(n.kind = 1 and coalesce(k.is_orm, false), (-b.distance, b.ancestor_span_id)) as is_orm
from climb as b
inner join crowds as o on b.trace_id = o.trace_id and b.ancestor_span_id = o.ancestor_span_id
inner join slow_request_nodes as n on b.trace_id = n.trace_id and b.ancestor_span_id = n.span_id
left join known_scopes as k on n.scope_id = k.scope_id
group by b.trace_id, b.span_id;

create or replace temp table serial_reads as
with siblings as (
  select
    c.*,
    w.caller_span_id,
    c.is_read
    and c.duration_ms >= 10
    and c.family in ('db', 'http', 'rpc')
    and not w.is_orm
    and not (c.family = 'db' and x.trace_id is not null)
    and not coalesce(has_operator(h.filter_columns, 'in'), false)
    and not (c.family <> 'db' and names_login(c.shape))
    and coalesce(position(url_id(full_url(s.url_full, s.url_path, s.url_query)) in coalesce(r.url, '')) > 0, true) as is_member,
    max(c.end_ns) over earlier as busy_until_ns,
    coalesce(max(case when c.is_read then 0 else 1 end) over just_before, 0) as follows_write
  from slow_requests as r
  inner join calls as c on r.trace_id = c.trace_id and r.request_span_id = c.request_span_id
  inner join callers as w on c.trace_id = w.trace_id and c.span_id = w.span_id
  inner join spans as s on c.trace_id = s.trace_id and c.span_id = s.span_id and c.start_ns = s.start_ns
  left join writing_transactions as x on r.trace_id = x.trace_id and r.request_span_id = x.request_span_id
  left join query_shapes as h on c.query_shape_id = h.query_shape_id
  window
    earlier as (
      partition by c.trace_id, w.caller_span_id order by c.start_ns, c.end_ns, c.span_id
      rows between unbounded preceding and 1 preceding
    ),
    just_before as (
      partition by c.trace_id, w.caller_span_id order by c.start_ns, c.end_ns, c.span_id
      rows between 1 preceding and 1 preceding
    )
),

runs as (
  select
    s.*,
    sum(
      case
        when not s.is_read or s.follows_write = 1 then 1
        when s.start_ns + 1000000 < s.busy_until_ns then 1
        when s.start_ns - s.busy_until_ns > greatest(10000000, (s.end_ns - s.start_ns) / 2) then 1
        else 0
      end
    ) over (
      partition by s.trace_id, s.caller_span_id order by s.start_ns, s.end_ns, s.span_id
      rows between unbounded preceding and current row
    ) as run_number
  from siblings as s
)

select
  m.service_name,
  m.endpoint,
  m.trace_id,
  m.request_span_id,
  m.caller_span_id,
  m.run_number,
  m.span_id,
  m.shape,
  m.start_ns,
  m.duration_ms
from runs as m
where m.is_member
  and not exists (
    select 1
    from runs as e
    left join shape_tables as a on e.query_shape_id = a.query_shape_id
    left join shape_tables as b on m.query_shape_id = b.query_shape_id
    where e.is_member
      and e.trace_id = m.trace_id
      and e.caller_span_id = m.caller_span_id
      and e.run_number = m.run_number
      and (e.start_ns < m.start_ns or (e.start_ns = m.start_ns and e.span_id < m.span_id))
      and (e.shape = m.shape or a.table_name = b.table_name)
  );
