-- Positions of incoming spans that the store already holds: an exporter that missed our answer sends a batch again,
-- and a trace file may be replayed. The time range prunes row groups, so the cost follows what is recent.
select i.position
from incoming_ids as i
where exists (
  select 1
  from spans as s
  where
    s.start_ns between $earliest_ns and $latest_ns
    and s.span_id = i.span_id
    and s.trace_id = i.trace_id
    and s.start_ns = i.start_ns
)
order by i.position
