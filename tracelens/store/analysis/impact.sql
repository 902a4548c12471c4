-- How much sooner each affected request would end without its avoidable time.
--
-- A request waits for what is on its critical path. Time in which another call of the request was running as well is not
-- won by removing the offenders, so at most the time in which only they ran counts: the union of all calls' intervals less
-- the union of the others', both cut to the request's own interval. Where the offenders are no calls (the request itself
-- is the subject), the avoidable time is taken as it is.
create or replace temp table numbered_rows as
select
  r.service_name,
  r.endpoint,
  r.subject,
  r.trace_id,
  r.request_span_id,
  r.offender_span_ids,
  r.avoidable_ms,
  row_number() over () as row_id
from pass_rows as r;

create or replace temp table row_impact as
with offenders as (
  select
    n.row_id,
    unnest(n.offender_span_ids) as span_id
  from numbered_rows as n
),

intervals as (
  select
    n.row_id,
    c.span_id,
    o.span_id is not null as is_offender,
    greatest(c.start_ns, q.start_ns) as start_ns,
    least(c.end_ns, q.end_ns) as end_ns
  from numbered_rows as n
  inner join requests as q on n.trace_id = q.trace_id and n.request_span_id = q.request_span_id
  inner join calls as c on n.trace_id = c.trace_id and n.request_span_id = c.request_span_id
  left join offenders as o on n.row_id = o.row_id and c.span_id = o.span_id
  where c.start_ns < q.end_ns and c.end_ns > q.start_ns
),

unions as (
  select
    i.*,
    max(i.end_ns) over (
      partition by i.row_id order by i.start_ns, i.end_ns, i.span_id
      rows between unbounded preceding and 1 preceding
    ) as busy_until_ns,
    max(case when not i.is_offender then i.end_ns end) over (
      partition by i.row_id order by i.start_ns, i.end_ns, i.span_id
      rows between unbounded preceding and 1 preceding
    ) as others_until_ns
  from intervals as i
),

alone as (
  select
    u.row_id,
    max(u.is_offender) as has_calls,
    as_ms(
      sum(greatest(0, u.end_ns - greatest(u.start_ns, coalesce(u.busy_until_ns, u.start_ns))))
      - sum(
        case
          when u.is_offender then 0 else greatest(0, u.end_ns - greatest(u.start_ns, coalesce(u.others_until_ns, u.start_ns)))
        end
      )
    ) as alone_ms
  from unions as u
  group by u.row_id
)

select
  n.service_name,
  n.endpoint,
  n.subject,
  n.trace_id,
  n.request_span_id,
  case when a.has_calls then least(n.avoidable_ms, a.alone_ms) else n.avoidable_ms end as gained_ms
from numbered_rows as n
left join alone as a on n.row_id = a.row_id;
