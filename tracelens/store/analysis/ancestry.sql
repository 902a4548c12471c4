-- A span and those above it, nearest first: who emitted them and where in the code.
with recursive up as (
  select
    s.*,
    0 as depth
  from exemplar_spans as s
  where s.trace_id = $trace_id and s.span_id = $span_id
  union all
  select
    s.*,
    u.depth + 1 as depth
  from up as u
  inner join exemplar_spans as s on u.trace_id = s.trace_id and u.parent_span_id = s.span_id
  where u.depth < 64
)

select
  u.depth,
  u.scope_name,
  u.code_function,
  u.code_file,
  u.code_line,
  u.kind,
  u.status_code,
  u.stack_trace,
  u.exception_stack_trace
from up as u
order by u.depth, u.span_id
