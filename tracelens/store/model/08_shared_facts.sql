-- What spans of one trace tell about spans of others.
--
-- prepared_spans      prepared statements with their text, for the spans that execute them
-- database_addresses  where a process queries a database: what makes another socket to the same place a connection

create or replace temp table name_roles as
select
  n.name,
  min(r.role) as role
from (
  select distinct s.name
  from spans as s
  where s.db_system is not null or s.query_text_id is not null or names_pool(s.name)
) as n
inner join span_roles as r on matches(n.name, r.pattern)
group by n.name;

create or replace temp table prepared_spans as
select
  p.trace_id,
  p.span_id,
  p.parent_span_id,
  p.scope_id,
  p.start_ns,
  p.query_text_id,
  t.query_shape_id
from spans as p
inner join name_roles as n on p.name = n.name and n.role = 'prepare'
inner join query_texts as t on p.query_text_id = t.query_text_id
where p.start_ns >= $start_ns and p.start_ns < $end_ns and p.received_ns >= $received_since_ns;

create or replace temp table database_addresses as
select distinct
  s.trace_id,
  s.resource_id,
  s.server_address,
  s.server_port
from spans as s
where s.db_system is not null
  and s.server_port is not null
  and s.kind = 3
  and s.start_ns >= $start_ns
  and s.start_ns < $end_ns
  and s.received_ns >= $received_since_ns;
