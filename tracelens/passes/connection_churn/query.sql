-- One row per request that opened a connection, of an endpoint most of whose requests do. PHP is left out: it starts
-- anew for each request, and its connections with it.
with users as (
  select
    c.service_name,
    c.endpoint,
    greatest(count(distinct c.trace_id), count(distinct c.request_span_id)) as recorded_requests,
    greatest(count(distinct c.trace_id), count(distinct c.request_span_id)) * avg(c.weight) as requests
  from calls as c
  where c.family in ('db', 'cache')
    and c.entry_kind in ('server', 'consumer')
    and coalesce(c.sdk_language, '') <> 'php'
    and c.endpoint in (select o.endpoint from openings as o)
  group by c.service_name, c.endpoint
),

opening_requests as (
  select
    o.service_name,
    o.endpoint,
    o.trace_id,
    o.request_span_id,
    ordered_list(o.span_id, o.start_ns) as span_ids,
    max(o.duration_ms) as opening_ms,
    max(o.is_certain) as is_certain,
    max(r.weight) as weight
  from openings as o
  inner join requests as r on o.trace_id = r.trace_id and o.request_span_id = r.request_span_id
  group by o.service_name, o.endpoint, o.trace_id, o.request_span_id
),

churning as (
  select
    o.service_name,
    o.endpoint,
    max(u.requests) as requests,
    weighted_sum(o.weight) as opening_requests,
    weighted_q(o.opening_ms, o.weight, 0.5) as opening_ms
  from opening_requests as o
  inner join users as u on o.service_name = u.service_name and o.endpoint = u.endpoint
  inner join service_loads as s on o.service_name = s.service_name
  group by o.service_name, o.endpoint
  having max(u.recorded_requests) >= $min_requests
    and weighted_sum(o.weight) >= $min_opening_rate * max(u.requests)
    -- A pool that fills opens as many connections as are asked for at once, in each process, and no more.
    and weighted_sum(o.weight) > max(s.peak_requests * s.processes)
)

select
  o.service_name,
  o.endpoint,
  o.service_name as subject,
  o.trace_id,
  o.request_span_id,
  o.span_ids as offender_span_ids,
  o.opening_ms as avoidable_ms,
  case when o.is_certain then 'certain' else 'likely' end as confidence,
  cast(round(h.opening_requests) as bigint) as opening_requests,
  cast(round(h.requests) as bigint) as requests,
  round(least(h.opening_requests / h.requests, 1), 3) as opening_rate,
  h.opening_ms
from opening_requests as o
inner join churning as h on o.service_name = h.service_name and o.endpoint = h.endpoint
order by avoidable_ms desc, o.trace_id asc, o.request_span_id asc
