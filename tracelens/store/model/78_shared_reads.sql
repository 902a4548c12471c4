-- What requests have in common with others: reads of one identity, and when tables were written.

-- One row per read that a request makes once; repeats inside one request have their own passes.
--
-- identity    equal for reads with equal parameters
-- is_hidden   the parameters are not on the span: the same URL stands for them
create or replace temp table shared_reads as
select
  c.*,
  c.parameter_hash is null as is_hidden,
  coalesce(c.parameter_hash, text_hash(a.url)) as identity,
  min(c.start_ns) over (partition by c.service_name, c.shape, coalesce(c.parameter_hash, text_hash(a.url))) as first_ns
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

-- The first and last write in each second: a table may be written more often than it is worth to look at each write.
create or replace temp table written_seconds as
select
  w.table_name,
  min(w.start_ns) as first_ns,
  max(w.start_ns) as last_ns
from table_writes as w
group by w.table_name, w.start_ns - w.start_ns % 1000000000;
