-- Everything of the spans and data points received up to a time: all their parts go in one transaction.
delete from data_point_exemplars
where received_ns <= $until_ns;

delete from data_points
where received_ns <= $until_ns;

delete from span_events
using span_rows as s
where span_events.span_id = s.span_id and span_events.trace_id = s.trace_id and s.received_ns <= $until_ns;

delete from span_links
using span_rows as s
where span_links.span_id = s.span_id and span_links.trace_id = s.trace_id and s.received_ns <= $until_ns;

delete from span_rows
where received_ns <= $until_ns;
