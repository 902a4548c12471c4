-- The spans of exemplar traces, under the name under which exemplars.sql looks for them among the store's: it need not go
-- through those that were received before the window.

create temp table spans as
select
  s.trace_id,
  s.span_id,
  s.parent_span_id,
  s.scope_id,
  s.kind,
  s.status_code,
  s.query_text_id,
  s.code_function,
  s.code_file,
  s.code_line,
  s.attributes
from spans as s
where s.trace_id in (select unnest($trace_ids::uuid[]))
  and s.received_ns >= $oldest_ns;
