-- One row per request for a URL that was answered again and again, without a header that lets anyone keep the answer. The
-- minimum counts recorded answers; how many there were is estimated where they are a sample.
with asked as (
  select
    r.*,
    -- Headers are recorded by name: a service that shows a cache header anywhere would show it here.
    max(r.has_cache_header) over (partition by r.service_name) as shows_cache_headers,
    max(r.has_cache_header or r.is_personal) over (partition by r.service_name, r.endpoint, r.url) as is_decided,
    count(*) over (partition by r.service_name, r.endpoint, r.url) as recorded_answers,
    round(sum(r.weight) over (partition by r.service_name, r.endpoint, r.url)) as answers,
    min(r.duration_ms) over (partition by r.service_name, r.endpoint, r.url) as shortest_ms
  from described_responses as r
  where r.http_method in ('GET', 'HEAD')
    and cast(r.http_status_code as varchar) like '2__'
    and r.has_headers
    and r.url is not null
    and not r.is_probe
)

select
  a.service_name,
  a.endpoint,
  a.endpoint as subject,
  a.trace_id,
  a.request_span_id,
  ordered_list(a.request_span_id, a.start_ns) as offender_span_ids,
  -- The first answer has to be made in any case.
  sum(a.duration_ms * (a.answers - 1.0) / a.answers) as avoidable_ms,
  case when max(a.shows_cache_headers) then 'certain' else 'likely' end as confidence,
  cast(max(a.answers) as bigint) as answers,
  argmax(a.url, (a.answers, a.url)) as url
from asked as a
where a.recorded_answers >= $min_answers and not a.is_decided
group by a.service_name, a.endpoint, a.trace_id, a.request_span_id
order by avoidable_ms desc, a.trace_id asc, a.request_span_id asc
