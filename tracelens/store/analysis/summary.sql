select
  cast(coalesce(sum(t.spans), 0) as bigint) as spans,
  count(distinct t.trace_id) as traces,
  count(distinct t.service_name) as services,
  coalesce(min(t.start_ns), (select min(p.time_ns) from metric_points as p)) as start_ns,
  coalesce(max(t.end_ns), (select max(p.time_ns) from metric_points as p)) as end_ns,
  (select count(*) from requests) as requests
from trace_services as t
