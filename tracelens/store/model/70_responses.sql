-- One row per answered HTTP request: what was asked for, and what the answer's headers say where they were captured.
--
-- url               path and query; null where only the route is known and it has parameters
-- has_headers       some response header was captured on this span
-- has_cache_header  Cache-Control, ETag, Last-Modified or Expires is among them
-- is_personal       the answer sets a cookie, or the request carried credentials
-- accepts_encoding  what the client said it can decode; null where that was not captured
-- body_bytes        size of the body as sent
-- is_probe          asked for by machines, to be answered anew each time

create or replace temp table responses as
select
  a.service_name,
  a.endpoint,
  a.trace_id,
  a.request_span_id,
  a.start_ns,
  a.duration_ms,
  a.weight,
  a.http_method,
  a.http_status_code,
  a.url,
  has_attribute(a.headers, '^http\.response\.') as has_headers,
  has_attribute(a.headers, '^http\.response\.header\.(cache[-_]control|etag|last[-_]modified|expires)$') as has_cache_header,
  has_attribute(a.headers, '^http\.(response\.header\.set[-_]cookie|request\.header\.(authorization|cookie))$') as is_personal,
  lower(attribute_like(a.headers, '^http\.request\.header\.accept[-_]encoding$')) as accepts_encoding,
  lower(attribute_like(a.headers, '^http\.response\.header\.content[-_]encoding$')) as content_encoding,
  lower(attribute_like(a.headers, '^http\.response\.header\.content[-_]type$')) as content_type,
  coalesce(
    a.response_body_size,
    number_in(attribute_like(a.headers, '^http\.response\.header\.content[-_]length$'), '([0-9]{1,18})')
  ) as body_bytes,
  is_probe_path(coalesce(a.url, regexp_replace(a.endpoint, '^\S+\s+', ''))) as is_probe
from (
  select
    r.service_name,
    r.endpoint,
    r.trace_id,
    r.request_span_id,
    r.start_ns,
    r.duration_ms,
    r.weight,
    s.http_method,
    s.http_status_code,
    s.response_body_size,
    coalesce(
      s.url_path || coalesce('?' || s.url_query, ''),
      replace_all(s.url_full, '^[a-z]+://[^/]*', ''),
      case when not matches(s.http_route, '[{<:*(\[]') then s.http_route end
    ) as url,
    header_attributes(s.attributes) as headers
  from requests as r
  inner join spans as s on r.trace_id = s.trace_id and r.request_span_id = s.span_id and r.start_ns = s.start_ns
  where r.entry_kind = 'server' and s.http_method is not null
) as a;
