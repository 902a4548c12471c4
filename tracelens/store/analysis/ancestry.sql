-- A span and those above it, nearest first: who emitted them and where in the code.
with recursive up as (
  select
    s.trace_id,
    s.span_id,
    s.parent_span_id,
    s.scope_id,
    s.code_function,
    s.code_file,
    s.code_line,
    0 as depth
  from spans as s
  where s.trace_id = $trace_id and s.span_id = $span_id
  union all
  select
    s.trace_id,
    s.span_id,
    s.parent_span_id,
    s.scope_id,
    s.code_function,
    s.code_file,
    s.code_line,
    u.depth + 1 as depth
  from up as u
  inner join spans as s on u.trace_id = s.trace_id and u.parent_span_id = s.span_id
  where u.depth < 64
)

select
  u.depth,
  c.scope_name,
  u.code_function,
  u.code_file,
  u.code_line
from up as u
left join scopes as c on u.scope_id = c.scope_id
order by u.depth, u.span_id
