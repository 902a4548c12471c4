-- How much there is to cut.
select
  count(*) as spans,
  min(s.start_ns) as first_ns,
  max(s.start_ns) as last_ns,
  max(s.received_ns) as until_ns
from span_rows as s
where s.start_ns >= $start_ns and s.start_ns < $end_ns and s.received_ns >= $received_since_ns
