-- Scopes, query shapes and span shapes are never changed and never removed.
select
  (select max(s.scope_id) from scopes as s) as last_scope_id,
  (select max(h.query_shape_id) from query_shapes as h) as last_query_shape_id,
  (select max(s.span_shape_id) from span_shapes as s) as last_span_shape_id
