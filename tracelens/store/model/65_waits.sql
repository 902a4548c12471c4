-- Outbound HTTP, RPC and messaging calls that are worth asking whether the answer had to wait for them.
--
-- answered_ns   when the request had answered. ASGI servers keep its span open over background tasks, for which nobody
--               waits; the instrumentation marks each part of the answer as a span
-- waited_ms     the part of the call that came before that: a call that was left running blocks nothing
-- is_awaited    the whole call came before that
-- is_passed_on  most of it is one call of the service that answered it
-- is_empty_answer   the HTTP answer has no content, as a long poll's that ran out of time

create or replace temp table long_calls as
select
  c.trace_id,
  c.span_id,
  c.request_span_id,
  c.start_ns,
  c.end_ns
from calls as c
where c.family in ('http', 'rpc', 'messaging') and c.duration_ms >= 100;

create or replace temp table answers as
select
  t.trace_id,
  t.request_span_id,
  max(s.start_ns + s.duration_ns) as answered_ns
from spans as s
inner join tree as t on s.trace_id = t.trace_id and s.span_id = t.span_id
where s.kind = 1
  and s.name like '% http send'
  and s.trace_id in (select l.trace_id from long_calls as l)
group by t.trace_id, t.request_span_id;

-- Calls whose time is one call of the service that answered them: that one is to be looked at.
create or replace temp table passed_on as
select
  l.trace_id,
  l.span_id
from long_calls as l
inner join nodes as n on l.trace_id = n.trace_id and l.span_id = n.parent_span_id
inner join calls as d on n.trace_id = d.trace_id and n.span_id = d.request_span_id
where (d.end_ns - d.start_ns) * 2 > l.end_ns - l.start_ns
group by l.trace_id, l.span_id;

create or replace temp table waits as
select
  l.trace_id,
  l.span_id,
  l.request_span_id,
  coalesce(a.answered_ns, q.end_ns) as answered_ns,
  as_ms(greatest(0, least(l.end_ns, coalesce(a.answered_ns, q.end_ns)) - l.start_ns)) as waited_ms,
  full_url(s.url_full, s.url_path, s.url_query) as url,
  coalesce(s.http_status_code in (204, 304), false) as is_empty_answer,
  -- Clocks that count milliseconds let a call seem to end just after the answer.
  l.end_ns <= coalesce(a.answered_ns, q.end_ns) + 1000000 as is_awaited,
  p.span_id is not null as is_passed_on
from long_calls as l
inner join requests as q on l.trace_id = q.trace_id and l.request_span_id = q.request_span_id
inner join spans as s on l.trace_id = s.trace_id and l.span_id = s.span_id and l.start_ns = s.start_ns
left join answers as a on l.trace_id = a.trace_id and l.request_span_id = a.request_span_id
left join passed_on as p on l.trace_id = p.trace_id and l.span_id = p.span_id;
