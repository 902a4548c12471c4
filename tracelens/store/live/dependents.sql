-- Traces that have to be made anew because what others tell about them has changed.

create temp table prepared_now as
select
  p.trace_id,
  p.span_id,
  p.query_text_id
from _live.prepared_spans as p
where p.trace_id in (select r.trace_id from replaced as r);

create temp table addresses_now as
select distinct
  d.resource_id,
  d.server_address,
  d.server_port
from _live.database_addresses as d
where d.resource_id in (select s.resource_id from _live.sockets as s);

create temp table dependents as
select f.trace_id
from _live.foreign_links as f
where f.linked_trace_id in (
    select p.trace_id from ((from prepared_now except from prepared_before) union all (from prepared_before except from prepared_now)) as p
  )
union
select s.trace_id
from _live.sockets as s
inner join ((from addresses_now except from addresses_before) union all (from addresses_before except from addresses_now)) as d
  on s.resource_id = d.resource_id and s.server_address = d.server_address and s.server_port = d.server_port;

update _live.traces
set is_due = true
where trace_id in (select d.trace_id from dependents as d)
  and trace_id not in (select r.trace_id from replaced as r);
