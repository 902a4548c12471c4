-- Requests whose first call is a query that began late: at least 50 ms after they did.
--
-- idle_ns   when the last thing that the request did before ended
-- query_ns  when the query began

create or replace temp table late_starts as
with first_calls as (
  select
    c.trace_id,
    c.request_span_id,
    min(c.start_ns) as call_ns,
    min(case when c.family = 'db' then c.start_ns end) as query_ns
  from calls as c
  where c.entry_kind = 'server'
  group by c.trace_id, c.request_span_id
),

-- Less than 50 ms is no wait worth telling, and spares the rest for most requests.
late as (
  select
    q.service_name,
    q.endpoint,
    q.trace_id,
    q.request_span_id,
    q.start_ns,
    f.query_ns
  from first_calls as f
  inner join requests as q on f.trace_id = q.trace_id and f.request_span_id = q.request_span_id
  where f.query_ns = f.call_ns and f.query_ns - q.start_ns >= 50000000
)

select
  l.service_name,
  l.endpoint,
  l.trace_id,
  l.request_span_id,
  greatest(l.start_ns, coalesce(max(case when n.end_ns <= l.query_ns then n.end_ns end), l.start_ns)) as idle_ns,
  l.query_ns
from late as l
inner join tree as t on l.trace_id = t.trace_id and l.request_span_id = t.request_span_id
inner join nodes as n on t.trace_id = n.trace_id and t.span_id = n.span_id
group by l.service_name, l.endpoint, l.trace_id, l.request_span_id, l.start_ns, l.query_ns;
