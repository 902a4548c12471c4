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
    sum(case when c.family = 'db' and c.returned_rows is not null then 1 else 0 end) as returned_rows
  from calls as c
  group by c.service_name
)

select
  s.service_name,
  s.spans,
  coalesce(r.server_spans, 0) as server_spans,
  coalesce(c.db_calls, 0) as db_calls,
  coalesce(c.query_text, 0) as query_text,
  coalesce(c.query_parameters, 0) as query_parameters,
  coalesce(c.returned_rows, 0) as returned_rows
from spans_of as s
left join requests_of as r on s.service_name = r.service_name
left join calls_of as c on s.service_name = c.service_name
order by s.service_name
