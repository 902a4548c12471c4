-- What the traces that are about to be replaced tell about others.

create temp table prepared_before as
select
  p.trace_id,
  p.span_id,
  p.query_text_id
from _live.prepared_spans as p
where p.trace_id in (select r.trace_id from replaced as r);

create temp table addresses_before as
select distinct
  d.resource_id,
  d.server_address,
  d.server_port
from _live.database_addresses as d
where d.resource_id in (select s.resource_id from _live.sockets as s);
