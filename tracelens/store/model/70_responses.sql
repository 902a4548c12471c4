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
    e.service_name,
    e.endpoint,
    e.trace_id,
    e.request_span_id,
    e.start_ns,
    e.duration_ms,
    cast(e.span_weight as double) * e.folded as weight,
    e.http_method,
    e.http_status_code,
    e.response_body_size,
    coalesce(
      e.url_path || coalesce('?' || e.url_query, ''),
      replace_all(e.url_full, '^[a-z]+://[^/]*', ''),
      case when not matches(e.http_route, '[{<:*(\[]') then e.http_route end
    ) as url,
    e.headers
  from entry_spans as e
  where e.entry_kind = 'server' and e.http_method is not null
) as a;

-- Those whose headers were captured: only they tell what the answers lack. Few services capture any.
create or replace temp table described_responses as
select r.*
from responses as r
where r.has_headers;

-- What is captured of them, as numbers that add up.
create or replace temp table response_counts as
select
  r.trace_id,
  r.service_name,
  cast(coalesce(r.has_headers, false) as integer) as response_headers,
  cast(r.body_bytes is not null as integer) as response_sizes,
  cast(r.is_answered_read as integer) as answered_reads,
  cast(r.is_answered_read and coalesce(r.has_cache_header, false) as integer) as cache_headers,
  cast(coalesce(matches(r.content_encoding, '(gzip|br|zstd|deflate)'), false) as integer) as compressed,
  cast(coalesce(r.body_bytes >= 1024, false) as integer) as large_bodies
from (
  select
    a.*,
    coalesce(a.http_method in ('GET', 'HEAD') and a.http_status_code between 200 and 299 and not a.is_probe, false)
      as is_answered_read
  from responses as a
) as r;
