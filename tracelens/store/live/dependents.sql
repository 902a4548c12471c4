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

create temp table changed_statements as
(
  select * from prepared_now
  except
  select * from prepared_before
)
union
(
  select * from prepared_before
  except
  select * from prepared_now
);

create temp table changed_addresses as
(
  select * from addresses_now
  except
  select * from addresses_before
)
union
(
  select * from addresses_before
  except
  select * from addresses_now
);

update _live.traces
set is_due = true
where trace_id in (
    select f.trace_id
    from _live.foreign_links as f
    where f.linked_trace_id in (select c.trace_id from changed_statements as c)
    union
    select s.trace_id
    from _live.sockets as s
    inner join changed_addresses as c
      on s.resource_id = c.resource_id and s.server_address = c.server_address and s.server_port = c.server_port
  )
  and trace_id not in (select r.trace_id from replaced as r);
