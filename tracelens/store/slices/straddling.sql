-- The traces of which more than one range holds a part. They make slices of their own, with about as many spans each.

create or replace temp table straddling_traces as
select
  t.trace_id,
  t.first_ns,
  t.last_ns,
  t.last_ns + 1 as to_ns,
  cast(floor((sum(t.spans) over (order by t.first_ns, t.trace_id) - t.spans) / $spans_at_once) as integer) as part
from (
  select
    s.trace_id,
    count(*) as spans,
    min(s.start_ns) as first_ns,
    max(s.start_ns) as last_ns
  from span_rows as s
  where s.start_ns >= $from_ns and s.start_ns < $to_ns and s.received_ns <= $until_ns
  group by s.trace_id
) as t
where exists (
    select 1
    from unnest($bounds::bigint[]) as b (at_ns)
    where b.at_ns > t.first_ns and b.at_ns <= t.last_ns
  );

create or replace temp table recurring_text_ids as
select distinct s.query_text_id
from span_rows as s
where s.query_text_id is not null and s.trace_id in (select t.trace_id from straddling_traces as t)
union
select p.query_text_id
from prepared_spans as p;

-- Which trace tells it does not matter here, and there are as many as traces with a query.
create or replace temp table database_addresses as
select distinct
  d.resource_id,
  d.server_address,
  d.server_port
from database_addresses as d;
