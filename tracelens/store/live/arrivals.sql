-- How many spans were received when: one row per transaction of the writer, or nearly so.
select
  s.received_ns,
  count(*) as spans
from span_rows as s
where s.received_ns >= $since_ns
group by s.received_ns
order by s.received_ns
