-- A trace of which nothing was received for as long as a window begins anew after that: where the window is followed, the
-- trace has left it meanwhile. Where it is not, from before the first step, the pause shows in the spans.

update touched
set from_ns = p.resumed_ns
from (
  select
    r.trace_id,
    max(r.received_ns) as resumed_ns
  from (
    select
      s.trace_id,
      s.received_ns,
      s.received_ns - max(s.received_ns) over (
        partition by s.trace_id order by s.received_ns rows between unbounded preceding and 1 preceding
      ) as pause_ns
    from (
      select distinct
        n.trace_id,
        n.received_ns
      from span_rows as n
      where n.received_ns >= $oldest_ns and n.trace_id in (select t.trace_id from touched as t)
    ) as s
  ) as r
  where r.pause_ns > $window_ns
  group by r.trace_id
) as p
where touched.trace_id = p.trace_id;
