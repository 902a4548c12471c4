-- What is to be known of the touched traces until they are made anew.

create temp table traces as
with waiting as (
  select
    n.trace_id,
    min(n.received_ns) as waits_since_ns
  from linked_nodes as n
  where n.is_parentless and not n.is_root
  group by n.trace_id
)

select
  s.trace_id,
  count(*) as spans,
  min(s.received_ns) as first_received_ns,
  max(s.received_ns) as last_received_ns,
  min(w.waits_since_ns) as waits_since_ns,
  $now_ns as made_ns,
  $now_ns + least(count(*) * $rest_per_span_ns, $longest_rest_ns) as rests_until_ns,
  false as is_due
from span_rows as s
left join waiting as w on s.trace_id = w.trace_id
group by s.trace_id;

create temp table foreign_links as
select distinct
  k.trace_id,
  k.linked_trace_id
from span_links as k
inner join nodes as n on k.trace_id = n.trace_id and k.span_id = n.span_id
inner join spans as s on n.trace_id = s.trace_id and n.span_id = s.span_id and n.start_ns = s.start_ns
where n.family = 'db' and n.role = 'query' and s.query_text_id is null and k.linked_trace_id <> k.trace_id;

create temp table sockets as
select distinct
  p.trace_id,
  p.resource_id,
  p.server_address,
  p.server_port
from pool_spans as p
where p.role = 'socket';
