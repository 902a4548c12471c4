-- Connections that requests opened.
--
-- is_certain  a span of its own shows it; else the span of an engine that covers checkouts and openings alike

create or replace temp table openings as
-- Handing out a pooled connection takes a tenth of a millisecond, or one round trip where the pool checks it first; opening
-- one takes several round trips. Where even the fastest span of an endpoint is as long as that, none of them is a checkout.
with opening_engines as (
  select
    c.service_name,
    c.endpoint
  from connections as c
  inner join service_loads as s on c.service_name = s.service_name
  where c.opens = 'unclear'
  group by c.service_name, c.endpoint
  having min(c.duration_ms) >= 2 and min(c.duration_ms) >= 2 * max(s.round_trip_ms)
)

select
  c.service_name,
  c.endpoint,
  c.trace_id,
  c.request_span_id,
  c.span_id,
  c.start_ns,
  c.duration_ms,
  c.opens = 'certain' as is_certain
from connections as c
left join opening_engines as e on c.service_name = e.service_name and c.endpoint = e.endpoint
left join connection_spans as s on c.trace_id = s.trace_id and c.span_id = s.span_id
left join connection_spans as p on s.trace_id = p.trace_id and s.parent_span_id = p.span_id and p.opens <> 'no'
-- The socket of a connection is no second one.
where p.span_id is null and (c.opens = 'certain' or (c.opens = 'unclear' and e.endpoint is not null));
