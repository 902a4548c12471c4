select r.trace_id
from replaced as r
where r.trace_id in (select unnest($trace_ids::uuid[]))
