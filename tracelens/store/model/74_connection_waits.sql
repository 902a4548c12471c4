-- Requests whose first query began as soon as another request's query ended, after a time in which nothing of theirs ran:
-- what waiting for a pooled connection looks like where instrumentation has no span for it.
--
-- waited_ms   from what the request did last to its first query
-- peak_share  part of that time in which as many queries ran as ever do at once in the service: the pool was all in use
-- pause_ms    from the end of the other query to the start of this one

-- Late starts that follow the end of another query at once. Clocks that round starts down to the millisecond make a query
-- seem to begin before the one that it follows has ended: ends are taken a millisecond early.
create or replace temp table prompt_starts as
with moments as (
  select
    c.service_name,
    greatest(c.start_ns, c.end_ns - 1000000) as at_ns,
    greatest(c.start_ns, c.end_ns - 1000000) as ended_ns,
    cast(null as ubigint) as request_span_id
  from calls as c
  where c.family = 'db' and c.service_name in (select l.service_name from late_starts as l)
  union all
  select
    l.service_name,
    l.query_ns as at_ns,
    null as ended_ns,
    l.request_span_id
  from late_starts as l
  where l.query_ns > l.idle_ns
),

followed as (
  select
    m.*,
    max(m.ended_ns) over (
      partition by m.service_name order by m.at_ns, m.ended_ns nulls last, m.request_span_id
      rows between unbounded preceding and current row
    ) as last_ended_ns
  from moments as m
),

-- One connection is handed to one request: where several start after the same end, something else let them go.
heirs as (
  select
    f.service_name,
    f.last_ended_ns,
    min(f.request_span_id) as request_span_id
  from followed as f
  where f.request_span_id is not null
  group by f.service_name, f.last_ended_ns
  having count(*) = 1
)

select
  l.*,
  l.query_ns - h.last_ended_ns as pause_ns
from late_starts as l
inner join heirs as h on l.service_name = h.service_name and l.request_span_id = h.request_span_id
-- Later than 20 ms nothing was handed over.
where l.query_ns - h.last_ended_ns < 20000000;

create or replace temp table handovers as
-- How many queries run, as steps in time; the ends of a wait are steps of no height.
with services as (
  select distinct p.service_name
  from (
    select
      w.service_name,
      w.endpoint
    from prompt_starts as w
    group by w.service_name, w.endpoint
    -- Once or twice is chance.
    having count(*) >= 3
  ) as p
),

running_calls as (
  select
    c.service_name,
    c.start_ns,
    greatest(c.start_ns, c.end_ns - 1000000) as end_ns
  from calls as c
  where c.family = 'db' and c.service_name in (select s.service_name from services as s)
),

steps as (
  select
    c.service_name,
    c.start_ns as at_ns,
    1 as change,
    null as wait_id,
    null as is_end
  from running_calls as c
  union all
  select
    c.service_name,
    c.end_ns as at_ns,
    -1 as change,
    null as wait_id,
    null as is_end
  from running_calls as c
  union all
  select
    p.service_name,
    p.idle_ns as at_ns,
    0 as change,
    p.request_span_id as wait_id,
    0 as is_end
  from prompt_starts as p
  union all
  select
    p.service_name,
    p.query_ns as at_ns,
    0 as change,
    p.request_span_id as wait_id,
    1 as is_end
  from prompt_starts as p
),

levels as (
  select
    s.*,
    sum(s.change) over (
      partition by s.service_name order by s.at_ns, s.change, s.wait_id, s.is_end rows between unbounded preceding and current row
    ) as running,
    max(s.at_ns) over (
      partition by s.service_name order by s.at_ns, s.change, s.wait_id, s.is_end rows between 1 following and 1 following
    ) as until_ns
  from steps as s
),

peaks as (
  select
    l.service_name,
    max(l.running) as peak
  from levels as l
  group by l.service_name
),

marks as (
  select
    l.*,
    sum(case when l.running = p.peak then l.until_ns - l.at_ns else 0 end) over (
      partition by l.service_name order by l.at_ns, l.change, l.wait_id, l.is_end rows between unbounded preceding and 1 preceding
    ) as peak_ns
  from levels as l
  inner join peaks as p on l.service_name = p.service_name
),

shares as (
  select
    m.service_name,
    m.wait_id,
    (max(m.peak_ns) - min(m.peak_ns)) / greatest(max(m.at_ns) - min(m.at_ns), 1) as peak_share
  from marks as m
  where m.wait_id is not null
  group by m.service_name, m.wait_id
)

select
  p.service_name,
  p.endpoint,
  p.trace_id,
  p.request_span_id,
  p.query_ns as start_ns,
  as_ms(p.query_ns - p.idle_ns) as waited_ms,
  as_ms(p.pause_ns) as pause_ms,
  s.peak_share
from prompt_starts as p
inner join shares as s on p.service_name = s.service_name and p.request_span_id = s.wait_id;

-- Every wait for a connection that something shows.
--
-- sign  checkout (the pool's own span, less the time of opening a connection inside it), engine (a span that covers
--       checkouts and openings alike, and began while another query of the service was running) or handover

create or replace temp table connection_waits as
with engine_spans as (
  select c.*
  from connections as c
  -- As above: what is shorter is no wait worth telling.
  where c.opens = 'unclear' and c.end_ns - c.start_ns >= 50000000
),

moments as (
  select
    e.service_name,
    e.span_id,
    e.start_ns,
    e.start_ns as end_ns,
    true as is_wait
  from engine_spans as e
  union all
  select
    c.service_name,
    c.span_id,
    c.start_ns,
    c.end_ns,
    false as is_wait
  from calls as c
  where c.family = 'db' and c.service_name in (select e.service_name from engine_spans as e)
),

contended as (
  select
    m.service_name,
    m.span_id,
    m.is_wait and max(m.end_ns) over (
      partition by m.service_name order by m.start_ns, m.span_id rows between unbounded preceding and 1 preceding
    ) > m.start_ns as is_contended
  from moments as m
),

spans_of_waits as (
  select
    c.service_name,
    c.endpoint,
    c.trace_id,
    c.request_span_id,
    c.span_id,
    c.start_ns,
    c.duration_ms - c.opening_ms as wait_ms,
    case when c.opens = 'unclear' then 'engine' else 'checkout' end as sign
  from connections as c
  left join contended as d on c.service_name = d.service_name and c.span_id = d.span_id and d.is_contended
  where c.role = 'checkout' or (c.opens = 'unclear' and d.is_contended)
)

select
  w.*,
  0 as pause_ms,
  1 as peak_share
from spans_of_waits as w
union all
select
  h.service_name,
  h.endpoint,
  h.trace_id,
  h.request_span_id,
  -- No span shows it: it is the request's own time.
  h.request_span_id as span_id,
  h.start_ns,
  h.waited_ms as wait_ms,
  'handover' as sign,
  h.pause_ms,
  h.peak_share
from handovers as h
where not exists (
    select 1
    from spans_of_waits as w
    where w.trace_id = h.trace_id and w.request_span_id = h.request_span_id
  );
