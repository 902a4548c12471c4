-- Every span of the window with what the tree and the calls need of it.
--
-- family    the kind of operation a span describes, null where it describes none that leaves the process
-- role      for db and cache spans: query, or what else the span is about (connect, checkout, transaction, session,
--           ping, prepare, rows, internal): those are no calls, and do not break a run of repeats

create or replace temp table name_roles as
select
  n.name,
  min(r.role) as role
from (
  select distinct s.name
  from spans as s
  where s.db_system is not null or s.query_text_id is not null or matches(s.name, '^(generic-pool|pool|pg-pool|sql|db)\.')
) as n
inner join span_roles as r on matches(n.name, r.pattern)
group by n.name;

create or replace temp table known_scopes as
select
  c.scope_id,
  c.scope_name,
  exists(
    select 1 from orm_scopes as o
    where matches(c.scope_name, o.pattern)
  ) as is_orm
from scopes as c;

create or replace temp table nodes as
select
  s.trace_id,
  s.span_id,
  s.parent_span_id,
  s.start_ns,
  s.start_ns + greatest(s.duration_ns, 0) as end_ns,
  s.kind,
  s.scope_id,
  r.service_name,
  case
    when s.kind in (2, 5) then null
    when s.db_system in ('redis', 'valkey', 'memcached', 'dragonfly', 'keydb') then 'cache'
    when s.db_system is not null or s.query_text_id is not null then 'db'
    when s.kind = 4 or (s.messaging_system is not null and s.messaging_operation in ('send', 'create')) then 'messaging'
    when s.rpc_system is not null and s.kind = 3 then 'rpc'
    when s.http_method is not null and s.kind = 3 then 'http'
  end as family,
  case
    when h.statement in ('transaction', 'session', 'ping') then h.statement
    when h.command_class in ('connection', 'transaction', 'blocking') then h.command_class
    -- A round trip takes longer than this; what is shorter was answered from memory by the ORM.
    when s.db_system is not null and s.duration_ns < 50000
      and s.db_system not in ('sqlite', 'h2database', 'hsqldb', 'derby', 'duckdb') then 'internal'
    else coalesce(n.role, 'query')
  end as role,
  coalesce(s.query_text_id, l.query_text_id) as query_text_id,
  coalesce(t.query_shape_id, l.query_shape_id) as query_shape_id,
  s.received_ns
from spans as s
left join resources as r on s.resource_id = r.resource_id
left join name_roles as n on s.name = n.name
left join query_texts as t on s.query_text_id = t.query_text_id
left join query_shapes as h on t.query_shape_id = h.query_shape_id
-- PDO: the execute span has no text but a link to its prepare span, which has.
left join (
  select
    k.trace_id,
    k.span_id,
    min(p.query_text_id) as query_text_id,
    min(pt.query_shape_id) as query_shape_id
  from span_links as k
  inner join spans as p on k.linked_trace_id = p.trace_id and k.linked_span_id = p.span_id
  inner join query_texts as pt on p.query_text_id = pt.query_text_id
  group by k.trace_id, k.span_id
) as l on s.trace_id = l.trace_id and s.span_id = l.span_id and s.query_text_id is null
where s.start_ns >= $start_ns and s.start_ns < $end_ns and s.received_ns >= $received_since_ns;
