-- The spans and calls of the findings' exemplar traces: few, so that each finding can be asked about alone.
create or replace temp table exemplar_spans as
select
  s.trace_id,
  s.span_id,
  s.parent_span_id,
  s.query_text_id,
  s.code_function,
  s.code_file,
  s.code_line,
  s.kind,
  s.status_code,
  attribute(s.attributes, 'code.stacktrace') as stack_trace,
  e.stack_trace as exception_stack_trace,
  c.scope_name
from spans as s
left join scopes as c on s.scope_id = c.scope_id
left join (
  select
    v.trace_id,
    v.span_id,
    argmax(attribute(v.attributes, 'exception.stacktrace'), (v.time_ns, attribute(v.attributes, 'exception.stacktrace')))
      as stack_trace
  from span_events as v
  where v.name = 'exception' and v.trace_id in (select unnest($trace_ids))
  group by v.trace_id, v.span_id
) as e on s.trace_id = e.trace_id and s.span_id = e.span_id
where s.trace_id in (select unnest($trace_ids));

create or replace temp table exemplar_calls as
select
  c.trace_id,
  c.span_id,
  c.db_system,
  c.sdk_language,
  c.orm_scope_name,
  c.query_shape_id
from calls as c
where c.trace_id in (select unnest($trace_ids));
