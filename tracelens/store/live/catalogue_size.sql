-- Scopes and query shapes are never changed and never removed.
select
  (select max(s.scope_id) from scopes as s) as last_scope_id,
  (select max(h.query_shape_id) from query_shapes as h) as last_query_shape_id
