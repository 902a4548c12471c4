select
  t.part,
  min(t.first_ns) as from_ns,
  max(t.to_ns) as to_ns
from straddling_traces as t
group by t.part
order by t.part
