-- Which of the hosts whose CPU is known are databases, and what says so: the configuration, calls that go to one of its
-- names, or what its metrics say of it. And the calls that each of them answers.

create or replace temp table database_patterns as
select unnest($database_hosts::varchar[]) as pattern;

create or replace temp table measured_hosts as
with named as (
  select
    s.host,
    s.host_names,
    s.database_sign,
    s.db_system,
    r.service_name
  from metric_series as s
  inner join (select distinct h.host from host_cpu as h) as k on s.host = k.host
  left join resources as r on s.resource_id = r.resource_id
)

select
  n.host,
  all_names(n.host_names) as host_names,
  min(n.database_sign) as database_sign,
  -- A name says less than the metric or the resource does.
  min(case when left(n.database_sign, 9) <> 'its name:' then n.database_sign end) as certain_sign,
  min(n.db_system) as db_system,
  min(case when not starts_with(n.service_name, 'unknown_service') then n.service_name end) as service_name
from named as n
group by n.host;

-- The addresses that database calls go to. On the caller's own machine, that machine's name.
create or replace temp table called_addresses as
select
  a.server_address,
  a.caller_host,
  case
    when matches(a.server_address, '^(localhost|127\.[0-9.]+|::1|\[::1\])$') then coalesce(a.caller_host, a.server_address)
    else a.server_address
  end as address
from (
  select
    lower(c.server_address) as server_address,
    lower(attribute(r.attributes, 'host.name')) as caller_host
  from calls as c
  inner join resources as r on c.resource_id = r.resource_id
  where c.family = 'db' and c.server_address is not null and exists (select 1 from measured_hosts)
  group by lower(c.server_address), lower(attribute(r.attributes, 'host.name'))
) as a;

create or replace temp table measured_addresses as
select
  h.host,
  a.server_address,
  a.caller_host
from measured_hosts as h
inner join called_addresses as a
  on has_name(h.host_names, a.address)
    or has_name(h.host_names, a.server_address)
    or (not matches(a.address, '^[0-9.]+$|:') and has_name(h.host_names, regexp_extract(a.address, '^[^.]+')));

create or replace temp table databases as
select
  h.host,
  h.service_name,
  h.db_system,
  case
    when p.pattern is not null then 'the configuration: databases.hosts ' || p.pattern
    when h.certain_sign is not null then h.certain_sign
    when a.server_address is not null then 'the server.address of database calls: ' || a.server_address
    else h.database_sign
  end as identified_by,
  p.pattern is not null or h.certain_sign is not null or a.server_address is not null as is_certain
from measured_hosts as h
left join (
  select
    m.host,
    min(d.pattern) as pattern
  from measured_hosts as m
  inner join database_patterns as d
    on has_name_like(m.host_names, '(?i)^(?:' || d.pattern || ')$')
  group by m.host
) as p on h.host = p.host
left join (
  select
    b.host,
    min(b.server_address) as server_address
  from measured_addresses as b
  group by b.host
) as a on h.host = a.host
where p.pattern is not null or a.server_address is not null or h.database_sign is not null;

create or replace temp table database_calls as
select
  d.host,
  c.trace_id,
  c.span_id,
  c.request_span_id,
  c.service_name,
  c.endpoint,
  c.shape,
  c.db_system,
  c.start_ns,
  c.end_ns,
  c.duration_ms,
  c.weight
from databases as d
inner join measured_addresses as a on d.host = a.host
inner join calls as c on lower(c.server_address) = a.server_address
inner join resources as r on c.resource_id = r.resource_id
where c.family = 'db'
  and coalesce(lower(attribute(r.attributes, 'host.name')), '') = coalesce(a.caller_host, '');
