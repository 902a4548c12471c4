-- When every so many-th span started.
select s.start_ns
from span_rows as s
where s.rowid % $every = 0 and s.start_ns > $first_ns and s.start_ns <= $last_ns
order by s.start_ns
