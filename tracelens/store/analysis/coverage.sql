-- What each service's spans carry, counted: what passes need (the columns are the names that they use in `needs`), how far
-- the data can be trusted (`notes.toml`), and what they show of the checklist (`checklist.py`).
with spans_of as (
  select
    n.service_name,
    cast(sum(n.spans) as bigint) as spans
  from trace_services as n
  group by n.service_name
),

languages_of as (
  select
    r.service_name,
    case when min(r.sdk_language) = max(r.sdk_language) then min(r.sdk_language) end as sdk_language
  from resources as r
  group by r.service_name
),

scopes_of as (
  select
    c.service_name,
    list_sort(list(distinct c.scope_name)) as scope_names
  from (
    select
      r.service_name,
      r.scope_name
    from requests as r
    union all
    select
      k.service_name,
      unnest([k.scope_name, k.orm_scope_name]) as scope_name
    from calls as k
  ) as c
  where c.scope_name is not null
  group by c.service_name
),

endpoints_of as (
  select
    r.service_name,
    r.endpoint,
    count(*) as requests,
    sum(case when r.entry_kind = 'server' then 1 else 0 end) as server_spans,
    sum(case when r.entry_kind = 'consumer' then 1 else 0 end) as consumer_spans,
    -- A root that is itself a call shows nothing of the request that made it.
    sum(case when r.entry_kind <> 'call' then 1 else 0 end) as whole_requests,
    max(r.is_orm) as is_orm
  from requests as r
  group by r.service_name, r.endpoint
),

requests_of as (
  select
    e.service_name,
    sum(e.requests) as requests,
    sum(e.server_spans) as server_spans,
    sum(e.consumer_spans) as consumer_spans,
    sum(e.whole_requests) as whole_requests,
    sum(e.server_spans + e.consumer_spans) as served_requests,
    max(e.is_orm) as is_orm,
    sum(case when e.server_spans > 0 then 1 else 0 end) as endpoints,
    sum(case when e.server_spans > 0 and e.server_spans < $min_requests then 1 else 0 end) as thin_endpoints
  from endpoints_of as e
  group by e.service_name
),

calls_of as (
  select
    c.service_name,
    sum(case when c.family = 'db' then 1 else 0 end) as db_calls,
    sum(case when c.family = 'db' and c.has_text then 1 else 0 end) as query_text,
    sum(case when c.family = 'db' and c.parameter_hash is not null then 1 else 0 end) as query_parameters,
    sum(case when c.family = 'db' and c.has_text and not c.is_truncated and c.parameter_hash is null then 1 else 0 end)
      as hidden_parameters,
    sum(case when c.family = 'db' and c.is_truncated then 1 else 0 end) as truncated_texts,
    sum(case when c.family = 'db' and c.returned_rows is not null then 1 else 0 end) as returned_rows,
    sum(case when c.family = 'db' and len(h.filter_columns) + len(h.sort_columns) > 0 then 1 else 0 end) as filtered_calls,
    max(case when c.family = 'db' and len(h.filter_columns) + len(h.sort_columns) > 0 then c.duration_ms end)
      as slowest_filter_ms,
    sum(case when c.family = 'db' and p.query_shape_id is not null then 1 else 0 end) as keyset_calls,
    sum(case when c.family = 'db' and not c.is_read then 1 else 0 end) as db_writes,
    sum(case when c.family in ('http', 'rpc') then 1 else 0 end) as http_calls,
    max(case when c.family in ('http', 'rpc') then c.duration_ms end) as slowest_http_ms,
    sum(case when c.family = 'cache' then 1 else 0 end) as cache_calls,
    sum(case when c.family = 'cache' and c.is_read then 1 else 0 end) as cache_reads,
    sum(case when c.family = 'messaging' then 1 else 0 end) as published_messages,
    sum(case when c.family in ('http', 'rpc', 'messaging') then 1 else 0 end) as outbound_calls
  from calls as c
  left join query_shapes as h on c.query_shape_id = h.query_shape_id
  left join paging_shapes as p on c.query_shape_id = p.query_shape_id
  group by c.service_name
),

pages_of as (
  select
    p.service_name,
    -- Some mappers write OFFSET into every query.
    sum(case when coalesce(p.offset_rows, 1) > 0 then 1 else 0 end) as offset_calls,
    sum(case when p.offset_rows > 0 then 1 else 0 end) as known_offsets,
    max(p.offset_rows) as deepest_offset
  from paged_reads as p
  group by p.service_name
),

responses_of as (
  select
    r.service_name,
    sum(case when r.has_headers then 1 else 0 end) as response_headers,
    count(r.body_bytes) as response_sizes,
    sum(case when r.is_read then 1 else 0 end) as answered_reads,
    sum(case when r.is_read and r.has_cache_header then 1 else 0 end) as cache_headers,
    sum(case when matches(r.content_encoding, '(gzip|br|zstd|deflate)') then 1 else 0 end) as compressed,
    sum(case when r.body_bytes >= 1024 then 1 else 0 end) as large_bodies
  from (
    select
      a.*,
      coalesce(a.http_method in ('GET', 'HEAD') and a.http_status_code between 200 and 299 and not a.is_probe, false)
        as is_read
    from responses as a
  ) as r
  group by r.service_name
),

connections_of as (
  select
    c.service_name,
    count(*) as connection_spans,
    sum(case when c.db_system not in ('redis', 'valkey', 'memcached', 'dragonfly', 'keydb') then 1 else 0 end) as db_connections
  from connections as c
  group by c.service_name
),

openings_of as (
  select
    o.service_name,
    count(*) as openings
  from openings as o
  group by o.service_name
),

evidence_of as (
  select
    e.service_name,
    sum(e.sampled) as sampled,
    sum(e.sampled_weight) / greatest(sum(e.sampled), 1) as mean_weight,
    sum(e.sampling_hints) as sampling_hints,
    sum(e.lost_parents) as lost_parents,
    sum(e.unseen_callers) as unseen_callers,
    sum(e.called) as called,
    sum(e.skewed) as skewed,
    max(e.skew_ms) as skew_ms,
    sum(e.routed + e.routeless) as http_requests,
    sum(e.routeless) as routeless,
    sum(e.rate_limits) as rate_limits,
    sum(e.field_choices) as field_choices,
    sum(e.timed_out) as timed_out,
    sum(e.lifetimes) as lifetimes,
    sum(e.endless) as endless,
    sum(e.cache_deletions) as cache_deletions
  from trace_evidence as e
  group by e.service_name
)

select
  s.service_name,
  s.spans,
  l.sdk_language,
  n.scope_names,
  r.* exclude (service_name),
  c.* exclude (service_name),
  p.* exclude (service_name),
  a.* exclude (service_name),
  k.* exclude (service_name),
  o.* exclude (service_name),
  e.* exclude (service_name),
  case when coalesce(r.server_spans + r.consumer_spans, 0) = 0 then s.spans else 0 end as entryless_spans,
  case when s.spans = r.requests and r.server_spans + r.consumer_spans > 0 then r.requests else 0 end as bare_requests,
  case when coalesce(c.db_calls, 0) = 0 and (r.is_orm or k.db_connections > 0) then s.spans else 0 end as silent_database,
  -- Its requests are messages, and none of its spans came from work that nothing shows the start of.
  coalesce(r.server_spans = 0 and r.consumer_spans = r.requests, false) as only_consumes,
  (select count(*) from database_cpu) as database_cpu
from spans_of as s
left join languages_of as l on s.service_name = l.service_name
left join scopes_of as n on s.service_name = n.service_name
left join requests_of as r on s.service_name = r.service_name
left join calls_of as c on s.service_name = c.service_name
left join pages_of as p on s.service_name = p.service_name
left join responses_of as a on s.service_name = a.service_name
left join connections_of as k on s.service_name = k.service_name
left join openings_of as o on s.service_name = o.service_name
left join evidence_of as e on s.service_name = e.service_name
order by s.service_name
