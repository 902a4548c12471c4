-- When the first trace has rested that is due.
select min(t.rests_until_ns) as until_ns
from _live.traces as t
where t.is_due
