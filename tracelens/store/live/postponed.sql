-- Spans came in of traces that rest.
update _live.traces
set is_due = true
where trace_id in (select p.trace_id from postponed as p);
