-- What is known of the query behind a call, for the advice on it.
select
  c.db_system,
  c.sdk_language,
  c.scope_name,
  c.orm_scope_name,
  h.tables,
  h.written_tables,
  h.filter_columns,
  h.join_columns,
  h.sort_columns,
  h.constant_predicates,
  h.has_limit,
  t.limit_rows
from calls as c
left join query_shapes as h on c.query_shape_id = h.query_shape_id
left join spans as s on c.trace_id = s.trace_id and c.span_id = s.span_id
left join query_texts as t on s.query_text_id = t.query_text_id
where c.trace_id = $trace_id and c.span_id = $span_id
