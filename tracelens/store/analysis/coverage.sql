-- What each service's spans carry, counted: what passes need (the columns are the names that they use in `needs`), how far
-- the data can be trusted (`notes.toml`), and what they show of the checklist (`checklist.py`). The other half is in signs.sql:
-- together they are eleven relations to join, in an order that takes ten times as long to find as all the rest.
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
    group by r.service_name, r.scope_name
    union all
    select
      k.service_name,
      unnest([k.scope_name, k.orm_scope_name]) as scope_name
    from (
      select
        o.service_name,
        o.scope_name,
        o.orm_scope_name
      from calls as o
      group by o.service_name, o.scope_name, o.orm_scope_name
    ) as k
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

-- Calls that are alike are counted before anything is asked of them.
alike_calls as (
  select
    c.service_name,
    c.family,
    c.is_read,
    c.has_text,
    c.is_truncated,
    c.query_shape_id,
    count(*) as calls,
    count(c.parameter_hash) as shown_parameters,
    count(c.returned_rows) as counted_rows,
    max(c.duration_ms) as slowest_ms
  from calls as c
  group by c.service_name, c.family, c.is_read, c.has_text, c.is_truncated, c.query_shape_id
),

calls_of as (
  select
    c.service_name,
    sum(case when c.family = 'db' then c.calls else 0 end) as db_calls,
    sum(case when c.family = 'db' and c.has_text then c.calls else 0 end) as query_text,
    sum(case when c.family = 'db' then c.shown_parameters else 0 end) as query_parameters,
    sum(case when c.family = 'db' and c.has_text and not c.is_truncated then c.calls - c.shown_parameters else 0 end)
      as hidden_parameters,
    sum(case when c.family = 'db' and c.is_truncated then c.calls else 0 end) as truncated_texts,
    sum(case when c.family = 'db' then c.counted_rows else 0 end) as returned_rows,
    sum(case when c.family = 'db' and len(h.filter_columns) + len(h.sort_columns) > 0 then c.calls else 0 end) as filtered_calls,
    max(case when c.family = 'db' and len(h.filter_columns) + len(h.sort_columns) > 0 then c.slowest_ms end)
      as slowest_filter_ms,
    sum(case when c.family = 'db' and p.query_shape_id is not null then c.calls else 0 end) as keyset_calls,
    sum(case when c.family = 'db' and not c.is_read then c.calls else 0 end) as db_writes,
    sum(case when c.family in ('http', 'rpc') then c.calls else 0 end) as http_calls,
    max(case when c.family in ('http', 'rpc') then c.slowest_ms end) as slowest_http_ms,
    sum(case when c.family = 'cache' then c.calls else 0 end) as cache_calls,
    sum(case when c.family = 'cache' and c.is_read then c.calls else 0 end) as cache_reads,
    sum(case when c.family = 'messaging' then c.calls else 0 end) as published_messages,
    sum(case when c.family in ('http', 'rpc', 'messaging') then c.calls else 0 end) as outbound_calls
  from alike_calls as c
  left join query_shapes as h on c.query_shape_id = h.query_shape_id
  left join paging_shapes as p on c.query_shape_id = p.query_shape_id
  group by c.service_name
),

connections_of as (
  select
    c.service_name,
    count(*) as connection_spans,
    sum(case when c.db_system not in ('redis', 'valkey', 'memcached', 'dragonfly', 'keydb') then 1 else 0 end) as db_connections
  from connections as c
  group by c.service_name
)

select
  s.service_name,
  s.spans,
  l.sdk_language,
  n.scope_names,
  r.* exclude (service_name),
  c.* exclude (service_name),
  k.* exclude (service_name),
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
left join connections_of as k on s.service_name = k.service_name
order by s.service_name
