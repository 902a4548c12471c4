-- What each service's spans carry. The columns are the names that passes use in `needs`.
with spans_of as (
  select
    n.service_name,
    count(*) as spans
  from nodes as n
  group by n.service_name
),

requests_of as (
  select
    r.service_name,
    sum(case when r.entry_kind = 'server' then 1 else 0 end) as server_spans
  from requests as r
  group by r.service_name
),

calls_of as (
  select
    c.service_name,
    sum(case when c.family = 'db' then 1 else 0 end) as db_calls,
    sum(case when c.family = 'db' and c.has_text then 1 else 0 end) as query_text,
    sum(case when c.family = 'db' and c.parameter_hash is not null then 1 else 0 end) as query_parameters,
    sum(case when c.family = 'db' and c.returned_rows is not null then 1 else 0 end) as returned_rows,
    sum(case when c.family in ('http', 'rpc') then 1 else 0 end) as http_calls,
    sum(case when c.family = 'cache' then 1 else 0 end) as cache_calls,
    sum(case when c.family = 'messaging' then 1 else 0 end) as published_messages,
    sum(case when c.family in ('http', 'rpc', 'messaging') then 1 else 0 end) as outbound_calls
  from calls as c
  group by c.service_name
),

responses_of as (
  select
    r.service_name,
    sum(case when r.has_headers then 1 else 0 end) as response_headers,
    count(r.body_bytes) as response_sizes
  from responses as r
  group by r.service_name
),

connections_of as (
  select
    c.service_name,
    count(*) as connection_spans
  from connections as c
  group by c.service_name
)

select
  s.service_name,
  s.spans,
  coalesce(r.server_spans, 0) as server_spans,
  coalesce(c.db_calls, 0) as db_calls,
  coalesce(c.query_text, 0) as query_text,
  coalesce(c.query_parameters, 0) as query_parameters,
  coalesce(c.returned_rows, 0) as returned_rows,
  coalesce(c.http_calls, 0) as http_calls,
  coalesce(c.cache_calls, 0) as cache_calls,
  coalesce(c.published_messages, 0) as published_messages,
  coalesce(c.outbound_calls, 0) as outbound_calls,
  coalesce(a.response_headers, 0) as response_headers,
  coalesce(a.response_sizes, 0) as response_sizes,
  coalesce(n.connection_spans, 0) as connection_spans
from spans_of as s
left join requests_of as r on s.service_name = r.service_name
left join calls_of as c on s.service_name = c.service_name
left join responses_of as a on s.service_name = a.service_name
left join connections_of as n on s.service_name = n.service_name
order by s.service_name
