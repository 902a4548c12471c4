-- One row per real outbound operation. What instrumentation doubles is folded here, once, for every pass:
--
-- nested     an ORM span over the driver's span for the same query: the innermost span that has the query text is the call
-- enclosed   the HTTP request inside a database, cache, messaging or RPC client's span is how that call travels
-- siblings   an ORM span beside the driver's span (same parent, shape and time, another scope): the shorter is the call
--
-- What a processor folded into a summary span stays folded: `times` says how many calls it stands for in its request, and its
-- interval is cut to the time that they took together; `idle_ns` is what lay between them. It shows the text and the
-- parameters of one of them.

create or replace temp table call_candidates as
select
  n.trace_id,
  n.span_id,
  n.parent_span_id,
  t.request_span_id,
  t.enclosing_call_id,
  n.family,
  n.start_ns,
  n.end_ns,
  n.scope_id,
  n.query_text_id,
  n.query_shape_id,
  n.span_shape_id,
  n.parameter_hash,
  n.weight
from nodes as n
inner join tree as t on n.trace_id = t.trace_id and n.span_id = t.span_id and t.is_call
where n.family is not null and n.role = 'query';

create or replace temp table folded as
with nested as (
  select
    o.trace_id,
    o.span_id as outer_id,
    i.span_id as inner_id,
    o.scope_id as outer_scope_id,
    case
      when o.family <> i.family then 'inner'
      when o.family in ('http', 'rpc', 'messaging') then 'inner'
      when o.query_text_id is not null and i.query_text_id is null then 'inner'
      else 'outer'
    end as folds
  from call_candidates as i
  inner join call_candidates as o
    on i.trace_id = o.trace_id and i.enclosing_call_id = o.span_id and i.request_span_id = o.request_span_id
),

-- Few queries are seen by two instrumentations; the others have no twins.
seen_twice as (
  select c.query_shape_id
  from call_candidates as c
  group by c.query_shape_id
  having min(c.scope_id) <> max(c.scope_id)
),

crowded as (
  select
    c.trace_id,
    c.parent_span_id,
    c.query_shape_id
  from call_candidates as c
  where c.query_shape_id in (select t.query_shape_id from seen_twice as t)
  group by c.trace_id, c.parent_span_id, c.query_shape_id
  having min(c.scope_id) <> max(c.scope_id)
),

-- The k-th span of one scope pairs with the k-th of another: twins overlap, two real calls in a row do not.
numbered as (
  select
    c.trace_id,
    c.span_id,
    c.parent_span_id,
    c.query_shape_id,
    c.scope_id,
    c.start_ns,
    c.end_ns,
    row_number() over (
      partition by c.trace_id, c.parent_span_id, c.query_shape_id, c.scope_id
      order by c.start_ns, c.end_ns, c.span_id
    ) as ordinal
  from call_candidates as c
  inner join crowded as r
    on c.trace_id = r.trace_id and c.parent_span_id = r.parent_span_id and c.query_shape_id = r.query_shape_id
),

twins as (
  select
    a.trace_id,
    a.span_id as outer_id,
    b.span_id as inner_id,
    a.scope_id as outer_scope_id,
    'outer' as folds
  from numbered as a
  inner join numbered as b
    on a.trace_id = b.trace_id
      and a.parent_span_id = b.parent_span_id
      and a.query_shape_id = b.query_shape_id
      and a.ordinal = b.ordinal
      and a.scope_id <> b.scope_id
      and a.start_ns < b.end_ns
      and a.end_ns > b.start_ns
      and (
        a.end_ns - a.start_ns > b.end_ns - b.start_ns
        or (a.end_ns - a.start_ns = b.end_ns - b.start_ns and a.scope_id < b.scope_id)
      )
)

select * from nested
union all
select * from twins;

create or replace temp table doubled_spans as
select
  d.trace_id,
  case d.folds when 'outer' then d.outer_id else d.inner_id end as span_id
from folded as d;

-- How many rows a query gave, where a span of its own says so: the last query that began before it under the same parent,
-- else the parent itself.
create or replace temp table counted_rows as
with counts as (
  select
    s.trace_id,
    s.parent_span_id,
    s.span_id,
    s.start_ns,
    s.returned_rows
  from spans as s
  inner join nodes as n on s.trace_id = n.trace_id and s.span_id = n.span_id
  inner join detailed_shapes as d on s.span_shape_id = d.span_shape_id and d.has_returned_rows
  where s.returned_rows is not null and s.query_text_id is null and (n.family is null or n.role <> 'query')
),

counted as (
  select
    r.trace_id,
    r.span_id,
    r.returned_rows,
    argmax(c.span_id, (c.parent_span_id = r.parent_span_id, c.start_ns, c.span_id)) as call_span_id
  from counts as r
  inner join call_candidates as c
    on r.trace_id = c.trace_id
      and r.parent_span_id in (c.parent_span_id, c.span_id)
      and c.family = 'db'
      and r.start_ns >= c.start_ns
  group by r.trace_id, r.span_id, r.returned_rows
)

select
  c.trace_id,
  c.call_span_id as span_id,
  max(c.returned_rows) as returned_rows
from counted as c
group by c.trace_id, c.call_span_id;

-- What the inner of two spans takes from the outer: who made the query, and its parameters and rows where only the outer
-- shows them and stands for this one query.
create or replace temp table outer_facts as
with outers as (
  select
    f.trace_id,
    f.outer_id,
    count(*) as inner_calls
  from folded as f
  where f.folds = 'outer'
  group by f.trace_id, f.outer_id
)

select
  f.trace_id,
  f.inner_id,
  min(f.outer_scope_id) as scope_id,
  min(case when u.inner_calls = 1 and not t.truncated then coalesce(s.parameter_hash, t.parameter_hash) end) as parameter_hash,
  max(case when u.inner_calls = 1 then coalesce(s.returned_rows, r.returned_rows) end) as returned_rows
from folded as f
inner join outers as u on f.trace_id = u.trace_id and f.outer_id = u.outer_id
inner join spans as s on f.trace_id = s.trace_id and f.outer_id = s.span_id
left join query_texts as t on s.query_text_id = t.query_text_id
left join counted_rows as r on f.trace_id = r.trace_id and f.outer_id = r.span_id
where f.folds = 'outer'
group by f.trace_id, f.inner_id;

-- The route of the service that answered an HTTP call names it where its URL does not look like a template of one:
-- `/users/alice` is `/users/{id}`.
create or replace temp table answering_routes as
select
  s.trace_id,
  s.parent_span_id,
  min(r.route) as route
from spans as s
inner join shape_routes as r on s.span_shape_id = r.span_shape_id
where s.parent_span_id is not null
group by s.trace_id, s.parent_span_id;

-- What else is known of a call but what its own span says. Apart, since joins carry these few columns more cheaply than spans.
create or replace temp table call_facts as
select
  c.trace_id,
  c.span_id,
  c.parent_span_id,
  c.request_span_id,
  c.family,
  c.start_ns,
  c.end_ns,
  c.scope_id,
  c.query_shape_id,
  t.query_text_id is not null as has_text,
  coalesce(t.truncated, false) as is_truncated,
  t.parameter_hash as text_parameter_hash,
  f.parameter_hash as outer_parameter_hash,
  t.value_rows,
  coalesce(w.returned_rows, f.returned_rows) as returned_rows,
  f.scope_id as outer_scope_id,
  u.route,
  c.span_shape_id,
  c.parameter_hash,
  c.weight
from call_candidates as c
left join query_texts as t on c.query_text_id = t.query_text_id
left join outer_facts as f on c.trace_id = f.trace_id and c.span_id = f.inner_id
left join counted_rows as w on c.trace_id = w.trace_id and c.span_id = w.span_id
left join answering_routes as u on c.family = 'http' and c.trace_id = u.trace_id and c.span_id = u.parent_span_id
where not exists (
    select 1
    from doubled_spans as d
    where d.trace_id = c.trace_id and d.span_id = c.span_id
  );

-- What only some spans say more of than their shape does: those are read.
create or replace temp table call_details as
select
  s.trace_id,
  s.span_id,
  s.start_ns,
  url_path_template(url_path_of(s.url_full, s.url_path)) as path_template,
  case when s.server_address is null then nullif(regexp_extract(s.url_full, '^[a-z]+://([^/:?#]+)', 1), '') end as host,
  text_hash(visible_url(s.url_full, s.url_path, s.url_query)) as url_hash,
  s.returned_rows,
  s.folded_spans,
  coalesce(s.folded_ns, s.duration_ns) as folded_ns,
  mean_ns(s.duration_ns, s.folded_ns, s.folded_spans) as mean_ns,
  case
    when s.folded_spans > 1 then coalesce(s.folded_longest_ns, mean_ns(s.duration_ns, s.folded_ns, s.folded_spans))
  end as longest_ns
from spans as s
inner join (
  select distinct c.span_shape_id
  from call_facts as c
  inner join detailed_shapes as d on c.span_shape_id = d.span_shape_id
) as d on s.span_shape_id = d.span_shape_id;

-- What many calls have in common is kept once, under a number that is made of what it follows from: the rows are written,
-- read and kept without it.
create or replace temp table call_rows as
select
  c.trace_id,
  c.span_id,
  c.request_span_id,
  c.parent_span_id,
  kind_of((
    c.family, c.span_shape_id, c.query_shape_id, c.scope_id, c.outer_scope_id, c.route, d.path_template, d.host,
    q.request_kind
  )) as call_kind,
  c.has_text,
  c.is_truncated,
  case
    -- A URL is an HTTP call's parameters.
    when d.folded_spans > 1 and not coalesce(position('?' in h.query_shape) = 0, false) then null
    when c.family = 'http' then d.url_hash
    when not c.is_truncated then coalesce(c.parameter_hash, c.text_parameter_hash, c.outer_parameter_hash)
  end as parameter_hash,
  c.start_ns,
  case
    when d.folded_spans > 1
      then c.start_ns + cast(least(c.end_ns - c.start_ns, greatest(d.folded_ns, 0)) / q.folded as bigint)
    else c.end_ns
  end as end_ns,
  case when d.folded_spans > 1 then greatest(c.end_ns - c.start_ns - d.folded_ns, 0) else 0 end as idle_ns,
  as_ms(coalesce(d.mean_ns, c.end_ns - c.start_ns)) as duration_ms,
  as_ms(coalesce(d.longest_ns, c.end_ns - c.start_ns)) as longest_ms,
  greatest(1, cast(round(stands_for(d.folded_spans) / q.folded) as bigint)) as times,
  c.value_rows,
  coalesce(d.returned_rows, c.returned_rows) as returned_rows,
  cast(c.weight as double) * q.folded as weight
from call_facts as c
left join call_details as d on c.trace_id = d.trace_id and c.span_id = d.span_id and c.start_ns = d.start_ns
inner join request_rows as q on c.trace_id = q.trace_id and c.request_span_id = q.request_span_id
left join query_shapes as h on c.query_shape_id = h.query_shape_id;

create or replace temp table call_kinds as
with firsts as (
  select
    r.call_kind,
    min(r.span_id) as span_id
  from call_rows as r
  group by r.call_kind
)

select distinct
  r.call_kind,
  q.service_name,
  q.sdk_language,
  q.endpoint,
  q.entry_kind,
  c.family,
  s.db_system,
  c.query_shape_id,
  case c.family
    when
      'db'
      then coalesce(h.query_shape, nullif(trim(coalesce(s.db_operation, '') || ' ' || coalesce(s.db_collection, '')), ''), s.name)
    when 'cache' then coalesce(h.query_shape, s.db_operation, s.name)
    when 'rpc' then coalesce(s.rpc_method, s.name)
    when 'messaging' then coalesce(s.messaging_destination, s.name)
    else coalesce(s.http_method, s.name) || ' ' || coalesce(
        s.url_template,
        coalesce(s.server_address, d.host, '')
        || case when c.route is not null and position('{id}' in d.path_template) = 0 then c.route else d.path_template end
      )
  end as shape,
  coalesce(
    case when h.statement is not null and h.statement <> 'other' then h.statement end,
    lower(regexp_extract(coalesce(s.db_operation, s.http_method, ''), '^\w+'))
  ) as statement,
  case c.family
    when 'http' then s.http_method in ('GET', 'HEAD', 'OPTIONS', 'QUERY')
    when 'rpc' then is_reading_procedure(coalesce(s.rpc_method, s.name))
    when 'messaging' then false
    else coalesce(h.is_read, is_reading(coalesce(s.db_operation, s.name)))
  end as is_read,
  h.single_row_lookup,
  s.status_code = 2 as is_error,
  coalesce(s.batch_size, s.message_count) as batch_size,
  n.scope_name,
  o.scope_name as orm_scope_name,
  coalesce(n.is_orm, false) or coalesce(o.is_orm, false) or q.is_orm as is_orm,
  s.server_address,
  s.resource_id
from firsts as f
inner join call_rows as r on f.call_kind = r.call_kind and f.span_id = r.span_id
inner join call_facts as c on r.trace_id = c.trace_id and r.span_id = c.span_id and r.start_ns = c.start_ns
inner join span_shapes as s on c.span_shape_id = s.span_shape_id
left join call_details as d on c.trace_id = d.trace_id and c.span_id = d.span_id and c.start_ns = d.start_ns
inner join requests as q on c.trace_id = q.trace_id and c.request_span_id = q.request_span_id
left join query_shapes as h on c.query_shape_id = h.query_shape_id
left join known_scopes as n on c.scope_id = n.scope_id
left join known_scopes as o on c.outer_scope_id = o.scope_id;

create or replace temp view calls as
select
  r.trace_id,
  r.span_id,
  r.request_span_id,
  r.parent_span_id,
  k.service_name,
  k.sdk_language,
  k.endpoint,
  k.entry_kind,
  k.family,
  k.db_system,
  k.query_shape_id,
  k.shape,
  k.statement,
  k.is_read,
  k.single_row_lookup,
  r.has_text,
  r.is_truncated,
  r.parameter_hash,
  r.start_ns,
  r.end_ns,
  r.idle_ns,
  r.duration_ms,
  r.longest_ms,
  r.times,
  k.is_error,
  coalesce(k.batch_size, r.value_rows, 1) as batch_size,
  r.returned_rows,
  k.scope_name,
  k.orm_scope_name,
  k.is_orm,
  r.weight,
  k.server_address,
  k.resource_id
from call_rows as r
inner join call_kinds as k on r.call_kind = k.call_kind;
