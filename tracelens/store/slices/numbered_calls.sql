-- What many calls have in common is kept once, under a number that is made of it: the rest of a row are ids, times and numbers.
create or replace temp table numbered_calls as
select
  hash(
    c.service_name, c.sdk_language, c.endpoint, c.entry_kind, c.family, c.db_system, c.query_shape_id, c.shape, c.statement,
    c.is_read, c.single_row_lookup, c.has_text, c.is_truncated, c.times, c.is_error, c.batch_size, c.scope_name,
    c.orm_scope_name, c.is_orm, c.weight, c.server_address, c.resource_id
  ) as kind,
  c.rowid as row_number,
  c.trace_id,
  c.span_id,
  c.request_span_id,
  c.parent_span_id,
  c.parameter_hash,
  c.start_ns,
  c.end_ns,
  c.idle_ns,
  c.duration_ms,
  c.longest_ms,
  c.returned_rows
from calls as c;
