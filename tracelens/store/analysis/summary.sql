select
  count(*) as spans,
  count(distinct n.trace_id) as traces,
  count(distinct n.service_name) as services,
  min(n.start_ns) as start_ns,
  max(n.end_ns) as end_ns,
  (select count(*) from requests) as requests
from nodes as n
