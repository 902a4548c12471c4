-- One row per request and call for which its answer waits without needing it, as far as spans tell: a long call that
-- reads nothing, after which the request calls nothing that could use its result, and soon answers. Either its name says
-- that it is a side effect, or the request had already written its own data, which is what the answer is about.
with surroundings as (
  select
    c.trace_id,
    c.span_id,
    max(case when o.start_ns >= c.end_ns and o.family <> 'cache' and not names_message(o.shape) then 1 else 0 end) as calls_after,
    max(case when o.family = 'db' and o.statement in ('insert', 'update', 'delete') and o.start_ns < c.start_ns then 1 else 0 end)
      as writes_before,
    max(case when o.start_ns < c.end_ns then o.end_ns end) as busy_until_ns
  from waits as w
  inner join calls as c on w.trace_id = c.trace_id and w.span_id = c.span_id
  left join calls as o on c.trace_id = o.trace_id and c.request_span_id = o.request_span_id and c.span_id <> o.span_id
  where w.waited_ms >= $min_wait_ms
  group by c.trace_id, c.span_id
),

candidates as (
  select
    c.service_name,
    c.endpoint,
    c.shape,
    c.trace_id,
    c.request_span_id,
    c.span_id,
    c.start_ns,
    c.duration_ms,
    as_ms(c.end_ns - least(c.end_ns, greatest(c.start_ns, coalesce(s.busy_until_ns, c.start_ns)))) as blocking_ms,
    as_ms(greatest(0, w.answered_ns - c.end_ns)) as after_ms,
    case
      when c.family = 'messaging' then 'a publish'
      when names_message(c.shape) then 'a message'
      when names_document(c.shape) then 'a document'
      when s.writes_before = 1 and not names_needed_result(c.shape) then 'a call that comes after its own writes'
    end as kind
  from surroundings as s
  inner join calls as c on s.trace_id = c.trace_id and s.span_id = c.span_id
  inner join waits as w on s.trace_id = w.trace_id and s.span_id = w.span_id
  where s.calls_after = 0
    and w.is_awaited
    and not c.is_read
    and not c.is_error
    and c.entry_kind = 'server'
)

select
  c.service_name,
  c.endpoint,
  c.shape as subject,
  c.trace_id,
  c.request_span_id,
  ordered_list(c.span_id, c.start_ns) as offender_span_ids,
  sum(c.blocking_ms) as avoidable_ms,
  'likely' as confidence,
  case when max(c.blocking_ms) >= $critical_ms then 'critical' else 'warning' end as severity,
  max(c.blocking_ms) as blocking_ms,
  min(c.kind) as kind,
  round(sum(c.blocking_ms) / greatest(max(q.duration_ms), sum(c.blocking_ms)), 3) as request_share
from candidates as c
inner join requests as q on c.trace_id = q.trace_id and c.request_span_id = q.request_span_id
where c.blocking_ms >= $min_wait_ms
  and c.after_ms <= $max_after_ms
  -- What a GET asks for may well be the document.
  and not (c.kind = 'a document' and matches(c.endpoint, '^(GET|HEAD) '))
  and c.kind is not null
group by c.service_name, c.endpoint, c.shape, c.trace_id, c.request_span_id
order by avoidable_ms desc, c.trace_id asc, c.request_span_id asc, subject asc
