-- The spans of exemplar traces, under the name under which exemplars.sql looks for them among the store's: it need not go
-- through those that were received before the window.

create temp table spans as
select s.*
from spans as s
where s.trace_id in (select unnest($trace_ids::uuid[]))
  and s.received_ns >= $oldest_ns;
