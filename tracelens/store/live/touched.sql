-- The traces to be made anew, each with the time since when its spans were received, and those that leave the window: the
-- last of their spans was received before it began.
--
-- Anew are those of which spans came in, of which a span has settled without its parent, of which another trace changed what
-- is known, and those that are so long that their oldest spans leave the window before them. The larger a trace, the longer
-- it rests until it is made anew: one that grows for ever must not cost its whole length each time.

create temp table arrived as
select
  s.trace_id,
  min(s.received_ns) as received_ns
from span_rows as s
where s.received_ns in (select unnest($received_ns::bigint[]))
  and s.received_ns >= $first_ns
  and s.received_ns <= $last_ns
group by s.trace_id;

-- Those that are in the window, and would be if it had been followed all the time, and for which there is a reason.
create temp table outdated as
select t.*
from _live.traces as t
left join arrived as a on t.trace_id = a.trace_id
where (t.last_received_ns >= $since_ns or t.is_due or a.received_ns - t.last_received_ns <= $now_ns - $since_ns)
  and (
    t.is_due
    or a.trace_id is not null
    or t.waits_since_ns < $settled_before_ns
    or t.first_received_ns < $oldest_ns
  );

create temp table touched as
select
  a.trace_id,
  $unknown_from_ns as from_ns
from arrived as a
where a.trace_id not in (select t.trace_id from outdated as t)
union all
select
  t.trace_id,
  greatest(t.first_received_ns, $oldest_ns) as from_ns
from outdated as t
where t.rests_until_ns <= $now_ns or t.made_ns > $now_ns;

-- Of the others, what came in is not forgotten.
create temp table postponed as
select a.trace_id
from arrived as a
where a.trace_id not in (select t.trace_id from touched as t);

create temp table replaced as
select t.trace_id
from touched as t
union
select t.trace_id
from _live.traces as t
where t.last_received_ns < $since_ns and not t.is_due and t.trace_id not in (select p.trace_id from postponed as p);
