-- What is known of the query behind an exemplar's call, for the advice on it.
select
  c.db_system,
  c.sdk_language,
  c.orm_scope_name,
  h.table_spellings as tables,
  h.written_tables,
  h.filter_columns,
  h.join_columns,
  h.sort_columns,
  h.constant_predicates,
  h.has_limit,
  t.limit_rows
from exemplar_calls as c
left join query_shapes as h on c.query_shape_id = h.query_shape_id
left join exemplar_spans as s on c.trace_id = s.trace_id and c.span_id = s.span_id
left join query_texts as t on s.query_text_id = t.query_text_id
where c.trace_id = $trace_id and c.span_id = $span_id
