-- As with calls.
create or replace temp table numbered_requests as
select
  hash(
    r.service_name, r.sdk_language, r.scope_name, r.is_orm, r.entry_kind, r.endpoint, r.is_error, r.http_status_code,
    r.weight, r.folded
  ) as kind,
  r.rowid as row_number,
  r.trace_id,
  r.request_span_id,
  r.start_ns,
  r.end_ns,
  r.duration_ms
from requests as r;
