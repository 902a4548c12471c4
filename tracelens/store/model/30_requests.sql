-- Which spans begin a request, and whether an object-relational mapper emitted one of the request's.
create or replace temp table entry_ids as
select
  t.trace_id,
  t.request_span_id,
  m.trace_id is not null as is_orm
from (
  select distinct
    e.trace_id,
    e.span_id as request_span_id
  from linked_nodes as e
  where e.is_root or e.is_entry
) as t
left join (
  select distinct
    i.trace_id,
    i.request_span_id
  from known_scopes as k
  inner join nodes as n on k.scope_id = n.scope_id
  inner join tree as i on n.trace_id = i.trace_id and n.span_id = i.span_id
  where k.is_orm
) as m on t.trace_id = m.trace_id and t.request_span_id = m.request_span_id;

-- The attributes of most spans need not be looked at, and to put them together costs more than all their columns.
create or replace temp table marked_entries as
select
  r.trace_id,
  r.span_id,
  r.start_ns
from entry_ids as e
inner join nodes as n on e.trace_id = n.trace_id and e.request_span_id = n.span_id
inner join span_rows as r on n.trace_id = r.trace_id and n.span_id = r.span_id and n.start_ns = r.start_ns
inner join marked_shapes as m on r.span_shape_id = m.span_shape_id;

create or replace temp table entry_attributes as
select
  s.trace_id,
  s.span_id,
  s.start_ns,
  header_attributes(s.attributes) as headers,
  has_attribute(
    s.attributes, '^(sampler\.(type|param)|SampleRate|sampling\.(rate|probability|priority)|(microsoft|_MS)\.sample_?[Rr]ate)$'
  ) as has_sampling_hint
from marked_entries as m
inner join spans as s on m.trace_id = s.trace_id and m.span_id = s.span_id and m.start_ns = s.start_ns;

-- What other spans have need not be read.
create or replace temp table entry_shapes as
select distinct n.span_shape_id
from linked_nodes as n
where n.is_root or n.is_entry;

-- Entry spans, with what requests, their answers, and the evidence on the data need of them: read once for all three.
--
-- headers            of the attributes those that are HTTP headers
-- has_sampling_hint  another vendor's attribute says that it was sampled
create or replace temp table entry_spans as
select
  s.trace_id,
  s.span_id as request_span_id,
  s.parent_span_id,
  s.resource_id,
  r.service_name,
  r.sdk_language,
  c.scope_name,
  t.is_orm,
  case s.kind when 2 then 'server' when 5 then 'consumer' when 3 then 'call' when 4 then 'call' else 'job' end as entry_kind,
  case
    when s.http_method is not null and s.kind = 2
      then s.http_method || ' ' || coalesce(
          case when left(s.http_route, 1) in ('/', '^', '*', '(') then s.http_route else '/' || s.http_route end,
          case when position('/' in s.name) > 0 then regexp_replace(s.name, '^\S*\s+', '') end,
          url_path_template(coalesce(s.url_path, replace_all(s.url_full, '^[a-z]+://[^/]*', ''))),
          ''
        )
    when s.rpc_method is not null then s.rpc_method
    else s.name
  end as endpoint,
  s.start_ns,
  s.start_ns + greatest(s.duration_ns, 0) as end_ns,
  as_ms(mean_ns(s.duration_ns, s.folded_ns, s.folded_spans)) as duration_ms,
  s.status_code = 2 or coalesce(s.http_status_code >= 500, false) as is_error,
  s.http_status_code,
  s.weight as span_weight,
  stands_for(s.folded_spans) as folded,
  s.http_method,
  s.http_route,
  s.url_path,
  s.url_query,
  s.url_full,
  s.response_body_size,
  coalesce(h.headers, []) as headers,
  s.weight = 1 and coalesce(h.has_sampling_hint, false) as has_sampling_hint
from entry_ids as t
inner join spans as s on t.trace_id = s.trace_id and t.request_span_id = s.span_id
inner join entry_shapes as f on s.span_shape_id = f.span_shape_id
left join resources as r on s.resource_id = r.resource_id
left join known_scopes as c on s.scope_id = c.scope_id
left join entry_attributes as h on s.trace_id = h.trace_id and s.span_id = h.span_id and s.start_ns = h.start_ns
where s.start_ns >= $start_ns
  and s.start_ns < $end_ns;

-- One row per request: its entry span.
--
-- entry_kind   server, consumer, job (a root that is internal) or call (a root that is itself an outbound call)
-- is_orm       an object-relational mapper emitted one of its spans
-- weight       how many requests it stands for: under sampling, and where its entry is a summary of many spans
-- folded       how many requests its spans were folded from, 1 where none was; its duration is then their mean

create or replace temp table request_rows as
select
  e.trace_id,
  e.request_span_id,
  kind_of((
    e.service_name, e.sdk_language, e.scope_name, e.is_orm, e.entry_kind, e.endpoint, e.is_error, e.http_status_code
  )) as request_kind,
  e.start_ns,
  e.end_ns,
  e.duration_ms,
  cast(e.span_weight as double) * e.folded as weight,
  e.folded
from entry_spans as e;

-- As with calls: most of a request it has in common with many.
create or replace temp table request_kinds as
with firsts as (
  select
    r.request_kind,
    min(r.request_span_id) as request_span_id
  from request_rows as r
  group by r.request_kind
)

select distinct
  r.request_kind,
  e.service_name,
  e.sdk_language,
  e.scope_name,
  e.is_orm,
  e.entry_kind,
  e.endpoint,
  e.is_error,
  e.http_status_code
from firsts as f
inner join request_rows as r on f.request_kind = r.request_kind and f.request_span_id = r.request_span_id
inner join entry_spans as e
  on r.trace_id = e.trace_id and r.request_span_id = e.request_span_id and r.start_ns = e.start_ns;

create or replace temp view requests as
select
  r.trace_id,
  r.request_span_id,
  k.service_name,
  k.sdk_language,
  k.scope_name,
  k.is_orm,
  k.entry_kind,
  k.endpoint,
  r.start_ns,
  r.end_ns,
  r.duration_ms,
  k.is_error,
  k.http_status_code,
  r.weight,
  r.folded
from request_rows as r
inner join request_kinds as k on r.request_kind = k.request_kind;

-- How many spans each service has in a trace, and from when to when.
create or replace temp table trace_services as
select
  n.trace_id,
  n.service_name,
  count(*) as spans,
  min(n.start_ns) as start_ns,
  max(n.end_ns) as end_ns
from nodes as n
group by n.trace_id, n.service_name;
