-- Positions of incoming spans that the store already holds. The time range prunes row groups, so the cost follows
-- what is recent.
select i.position
from incoming_ids as i
inner join span_rows as s
  on i.span_id = s.span_id and i.trace_id = s.trace_id and i.start_ns = s.start_ns
where s.start_ns between $earliest_ns and $latest_ns
order by i.position asc
