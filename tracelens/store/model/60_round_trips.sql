-- How often a request waited for the calls of one shape that are no database queries: what call_groups cannot tell.
--
-- round_trips       as many as there are calls where they ran one after another; commands that were sent together, in a
--                   pipeline or a batch, share one however many spans they have
-- pipelined_calls   those that say so themselves
-- failed_calls      those that ended in an error: what follows them may be a retry
-- is_paging         the URLs differ in nothing but the page they ask for
-- repeated_span_ids, repeated_calls, repeated_ms, repeated_longest_ms, repeated_values
--                   the calls that came three times or more with equal visible parameters and no error, in the order of
--                   their parameters, and how many different ones those were

create or replace temp table group_calls as
select
  c.trace_id,
  c.request_span_id,
  c.family,
  c.shape,
  c.span_id,
  c.start_ns,
  c.end_ns,
  case
    when c.times > 1
      then cast(coalesce(s.folded_ns, c.end_ns - c.start_ns) / stands_for(s.folded_spans) * c.times as bigint)
    else c.end_ns - c.start_ns
  end as busy_ns,
  c.times,
  c.duration_ms,
  c.parameter_hash,
  c.is_error,
  c.family = 'cache' and coalesce(matches(s.db_operation, '(?i)^(PIPELINE|MULTI)\b'), false) as is_pipelined,
  case when c.family = 'http' then full_url(s.url_full, s.url_path, s.url_query) end as url,
  -- Start times in whole milliseconds come from a clock that cuts off the rest: the call may have run that much later.
  case when c.start_ns % 1000000 = 0 then 1000000 else 0 end as tick_ns
from calls as c
inner join repeating as r
  on c.trace_id = r.trace_id and c.request_span_id = r.request_span_id and c.family = r.family and c.shape = r.shape
inner join spans as s on c.trace_id = s.trace_id and c.span_id = s.span_id and c.start_ns = s.start_ns
-- Spans that are no such call need not be read.
inner join shape_families as f on s.span_shape_id = f.span_shape_id and f.family <> 'db'
where c.family <> 'db';

create or replace temp table identical_calls as
with numbered as (
  select
    g.trace_id,
    g.request_span_id,
    g.family,
    g.shape,
    g.parameter_hash,
    g.span_id,
    g.start_ns,
    g.duration_ms,
    count(*) over (partition by g.trace_id, g.request_span_id, g.family, g.shape, g.parameter_hash) as calls
  from group_calls as g
  where g.parameter_hash is not null and not g.is_error
)

select
  n.trace_id,
  n.request_span_id,
  n.family,
  n.shape,
  ordered_list(n.span_id, (n.parameter_hash, n.start_ns)) as repeated_span_ids,
  count(*) as repeated_calls,
  count(distinct n.parameter_hash) as repeated_values,
  sum(n.duration_ms) as repeated_ms,
  max(n.duration_ms) as repeated_longest_ms
from numbered as n
where n.calls >= 3
group by n.trace_id, n.request_span_id, n.family, n.shape;

create or replace temp table round_trips as
with ordered as (
  select
    g.*,
    max(g.end_ns) over earlier as busy_until_ns,
    max(g.end_ns + g.tick_ns) over earlier as maybe_busy_until_ns
  from group_calls as g
  window earlier as (
    partition by g.trace_id, g.request_span_id, g.family, g.shape
    order by g.start_ns, g.end_ns, g.span_id
    rows between unbounded preceding and 1 preceding
  )
),

times as (
  select
    o.trace_id,
    o.request_span_id,
    o.family,
    o.shape,
    cast(sum(o.times) as bigint) as calls,
    cast(sum(o.busy_ns) as double) as total_ns,
    cast(sum(greatest(0, o.end_ns - greatest(o.start_ns, coalesce(o.busy_until_ns, o.start_ns)))) as double) as covered_ns,
    cast(
      sum(greatest(0, o.end_ns + o.tick_ns - greatest(o.start_ns, coalesce(o.maybe_busy_until_ns, o.start_ns)))) as double
    ) as possible_ns,
    sum(case when o.is_pipelined then o.times else 0 end) as pipelined_calls,
    sum(case when o.is_error then o.times else 0 end) as failed_calls,
    min(o.url) <> max(o.url) and min(without_page(o.url)) = max(without_page(o.url)) as is_paging
  from ordered as o
  group by o.trace_id, o.request_span_id, o.family, o.shape
)

select
  t.trace_id,
  t.request_span_id,
  t.family,
  t.shape,
  -- One after another they fit into the time in which they can have run; together they do not.
  case when t.total_ns <= t.possible_ns then t.calls else t.calls * t.covered_ns / greatest(t.total_ns, 1) end as round_trips,
  t.pipelined_calls,
  t.failed_calls,
  coalesce(t.is_paging, false) as is_paging,
  i.repeated_span_ids,
  coalesce(i.repeated_calls, 0) as repeated_calls,
  coalesce(i.repeated_values, 0) as repeated_values,
  coalesce(i.repeated_ms, 0) as repeated_ms,
  coalesce(i.repeated_longest_ms, 0) as repeated_longest_ms
from times as t
left join identical_calls as i
  on t.trace_id = i.trace_id and t.request_span_id = i.request_span_id and t.family = i.family and t.shape = i.shape;
