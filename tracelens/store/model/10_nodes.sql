-- Every span of the window with what the tree and the calls need of it.
--
-- family    the kind of operation a span describes, null where it describes none that leaves the process
-- role      for db and cache spans: query, or what else the span is about (connect, checkout, transaction, session,
--           ping, prepare, rows, internal): those are no calls, and do not break a run of repeats

-- Where a driver splits a query, the execute span has no text: its prepare span has, to which it links, or after which it
-- comes under the same parent.
create or replace temp table prepared_texts as
with sources as (
  select
    k.trace_id,
    k.span_id,
    p.start_ns,
    p.query_text_id,
    p.query_shape_id
  from prepared_spans as p
  inner join span_links as k on p.trace_id = k.linked_trace_id and p.span_id = k.linked_span_id
  union all
  select
    e.trace_id,
    e.span_id,
    p.start_ns,
    p.query_text_id,
    p.query_shape_id
  from prepared_spans as p
  inner join spans as e on p.trace_id = e.trace_id and p.parent_span_id = e.parent_span_id and p.scope_id = e.scope_id
  where e.query_text_id is null and e.start_ns >= p.start_ns and matches(e.name, '(?i)execute')
)

select
  s.trace_id,
  s.span_id,
  argmax(s.query_text_id, (s.start_ns, s.query_text_id)) as query_text_id,
  argmax(s.query_shape_id, (s.start_ns, s.query_text_id)) as query_shape_id
from sources as s
group by s.trace_id, s.span_id;

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
  case when s.query_text_id is null then f.family else f.family_of_query end as family,
  case
    when h.statement in ('transaction', 'session', 'ping') then h.statement
    when h.command_class in ('connection', 'transaction', 'blocking') then h.command_class
    -- A round trip takes longer than this; what is shorter was answered from memory by the ORM.
    -- (0 is a clock of milliseconds; a cache or an embedded database does answer this fast.)
    when s.query_text_id is not null and s.duration_ns between 1 and 50000
      and s.db_system not in ('redis', 'valkey', 'memcached', 'sqlite', 'h2database', 'hsqldb', 'derby', 'duckdb') then 'internal'
    else coalesce(n.role, 'query')
  end as role,
  coalesce(s.query_text_id, l.query_text_id) as query_text_id,
  coalesce(t.query_shape_id, l.query_shape_id) as query_shape_id,
  s.received_ns,
  s.span_shape_id,
  s.parameter_hash,
  s.weight
from spans as s
inner join shape_families as f on s.span_shape_id = f.span_shape_id
left join resources as r on s.resource_id = r.resource_id
-- A name means this only on a span that has to do with a database.
left join name_roles as n
  on n.name = case when s.db_system is not null or s.query_text_id is not null or names_pool(s.name) then s.name end
left join query_texts as t on s.query_text_id = t.query_text_id
left join query_shapes as h on t.query_shape_id = h.query_shape_id
left join prepared_texts as l on s.trace_id = l.trace_id and s.span_id = l.span_id and s.query_text_id is null
where s.start_ns >= $start_ns and s.start_ns < $end_ns and s.received_ns >= $received_since_ns;
