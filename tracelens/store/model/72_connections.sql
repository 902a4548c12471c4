-- Spans about connections to databases and caches: handing one out of a pool, and opening one.
--
-- opens       certain: a connection was opened; unclear: an engine's span that covers both, a checkout and an opening;
--             no: a checkout, or a connection that a blocking command needs for itself
-- opening_ms  of a checkout, the time of openings inside it: who waits for a new connection does not wait for others

create or replace temp table connection_names as
select
  n.name,
  min(r.role) as role
from (
  select distinct s.name
  from spans as s
  where s.kind in (1, 3)
) as n
inner join span_roles as r on matches(n.name, r.pattern)
where r.role in ('checkout', 'connect', 'engine', 'socket')
group by n.name;

create or replace temp table pool_spans as
select
  s.trace_id,
  s.span_id,
  s.parent_span_id,
  t.request_span_id,
  s.start_ns,
  s.start_ns + greatest(s.duration_ns, 0) as end_ns,
  s.resource_id,
  s.server_address,
  s.server_port,
  n.role,
  case
    when n.role = 'checkout' then 'no'
    when n.role = 'engine' or (n.role = 'connect' and s.name = 'connect' and coalesce(k.is_orm, false)) then 'unclear'
    else 'certain'
  end as opens,
  s.db_system
from spans as s
inner join connection_names as n on s.name = n.name
inner join tree as t on s.trace_id = t.trace_id and s.span_id = t.span_id
left join known_scopes as k on s.scope_id = k.scope_id;

create or replace temp table connection_spans as
select p.*
from pool_spans as p
where p.role <> 'socket'
union all
-- A socket counts where it leads to a database that the service queries.
select p.*
from pool_spans as p
where p.role = 'socket'
  and exists (
    select 1
    from database_addresses as d
    where d.resource_id = p.resource_id and d.server_address = p.server_address and d.server_port = p.server_port
  );

create or replace temp table connections as
with openings as (
  select
    c.trace_id,
    c.parent_span_id,
    sum(c.end_ns - c.start_ns) as opening_ns
  from connection_spans as c
  where c.opens <> 'no'
  group by c.trace_id, c.parent_span_id
),

-- What drivers say to a new connection to set it up.
set_ups as (
  select distinct
    n.trace_id,
    n.parent_span_id
  from nodes as n
  where n.role = 'session' and n.parent_span_id is not null
),

blocked as (
  select distinct
    t.trace_id,
    t.request_span_id
  from nodes as n
  inner join tree as t on n.trace_id = t.trace_id and n.span_id = t.span_id
  where n.role = 'blocking'
)

select
  q.service_name,
  q.endpoint,
  q.entry_kind,
  c.trace_id,
  c.span_id,
  c.request_span_id,
  c.start_ns,
  c.end_ns,
  as_ms(c.end_ns - c.start_ns) as duration_ms,
  c.role,
  case
    when b.request_span_id is not null then 'no'
    when c.opens = 'unclear' and (u.parent_span_id is not null or o.parent_span_id is not null) then 'certain'
    else c.opens
  end as opens,
  as_ms(coalesce(o.opening_ns, 0)) as opening_ms,
  c.db_system
from connection_spans as c
inner join requests as q on c.trace_id = q.trace_id and c.request_span_id = q.request_span_id
left join openings as o on c.trace_id = o.trace_id and c.span_id = o.parent_span_id
left join set_ups as u on c.trace_id = u.trace_id and c.span_id = u.parent_span_id
left join blocked as b on c.trace_id = b.trace_id and c.request_span_id = b.request_span_id;
