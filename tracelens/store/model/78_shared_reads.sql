-- Reads that a request makes once, in which requests may have something in common; repeats inside one request have their own
-- passes.
--
-- identity    equal for reads with equal parameters
-- is_hidden   the parameters are not on the span: the same URL stands for them

create or replace temp table shared_reads as
select
  c.service_name,
  c.endpoint,
  c.shape,
  c.query_shape_id,
  c.trace_id,
  c.request_span_id,
  c.span_id,
  c.start_ns,
  c.duration_ms,
  c.weight,
  c.parameter_hash is null as is_hidden,
  coalesce(c.parameter_hash, text_hash(a.url)) as identity
from calls as c
left join call_groups as g
  on c.trace_id = g.trace_id and c.request_span_id = g.request_span_id and c.family = g.family and c.shape = g.shape
left join responses as a
  on c.parameter_hash is null
    and c.trace_id = a.trace_id
    and c.request_span_id = a.request_span_id
    and a.http_method = 'GET'
    and not a.is_personal
    and not a.is_probe
where c.family = 'db'
  and c.is_read
  and (c.parameter_hash is not null or a.url is not null)
  and c.entry_kind in ('server', 'consumer')
  and g.shape is null;
