-- One row per response of a route whose text bodies are usually large and carry no Content-Encoding, to clients that did
-- not refuse one.
with answers as (
  select
    r.*,
    -- Headers are recorded by name: a service that shows one anywhere would show it here.
    max(r.content_encoding is not null) over (partition by r.service_name) as shows_content_encoding,
    max(r.accepts_encoding is not null) over (partition by r.service_name) as shows_accept_encoding
  from described_responses as r
),

bodies as (
  select a.*
  from answers as a
  where a.has_headers
    and coalesce(a.content_encoding, 'identity') in ('["identity"]', 'identity')
    and a.body_bytes > 0
    and a.http_method <> 'HEAD'
    and cast(a.http_status_code as varchar) like '2__'
    and matches(a.content_type, '(json|xml|javascript|ecmascript|text/|svg|graphql|yaml|csv)')
    and not matches(a.content_type, 'event-stream')
    and (not a.shows_accept_encoding or matches(a.accepts_encoding, '(gzip|br|zstd|deflate|\*)'))
),

medians as (
  select
    b.service_name,
    b.endpoint,
    cast(weighted_q(b.body_bytes, b.weight, 0.5) as bigint) as median_bytes
  from bodies as b
  group by b.service_name, b.endpoint
)

select
  b.service_name,
  b.endpoint,
  b.endpoint as subject,
  b.trace_id,
  b.request_span_id,
  ordered_list(b.request_span_id, b.start_ns) as offender_span_ids,
  0 as avoidable_ms,
  case when max(b.shows_content_encoding) then 'certain' else 'likely' end as confidence,
  case when max(m.median_bytes) >= $warning_above_bytes then 'warning' else 'info' end as severity,
  max(b.body_bytes) as body_bytes,
  max(m.median_bytes) as median_bytes,
  max(b.content_type) as content_type
from bodies as b
inner join medians as m on b.service_name = m.service_name and b.endpoint = m.endpoint
where m.median_bytes >= $min_body_bytes
group by b.service_name, b.endpoint, b.trace_id, b.request_span_id
order by body_bytes desc, b.trace_id asc, b.request_span_id asc
