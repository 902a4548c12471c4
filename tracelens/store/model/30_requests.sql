-- One row per request: its entry span.
--
-- entry_kind   server, consumer, job (a root that is internal) or call (a root that is itself an outbound call)
-- is_orm       an object-relational mapper emitted one of its spans
-- weight       how many requests it stands for: under sampling, and where its entry is a summary of many spans
-- folded       how many requests its spans were folded from, 1 where none was; its duration is then their mean

create or replace temp table requests as
select
  s.trace_id,
  s.span_id as request_span_id,
  r.service_name,
  r.sdk_language,
  c.scope_name,
  m.trace_id is not null as is_orm,
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
  cast(s.weight as double) * stands_for(s.folded_spans) as weight,
  stands_for(s.folded_spans) as folded
from (
  select distinct
    trace_id,
    request_span_id
  from tree
) as t
left join (
  select distinct
    i.trace_id,
    i.request_span_id
  from known_scopes as k
  inner join nodes as n on k.scope_id = n.scope_id
  inner join tree as i on n.trace_id = i.trace_id and n.span_id = i.span_id
  where k.is_orm
) as m on t.trace_id = m.trace_id and t.request_span_id = m.request_span_id
inner join spans as s on t.trace_id = s.trace_id and t.request_span_id = s.span_id
left join resources as r on s.resource_id = r.resource_id
left join known_scopes as c on s.scope_id = c.scope_id
where s.start_ns >= $start_ns and s.start_ns < $end_ns;

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
