-- Everything of the spans and data points received up to a time: all their parts go in one transaction.
delete from data_point_exemplars
where received_ns <= $until_ns;

delete from data_points
where received_ns <= $until_ns;

delete from span_events
using spans
where span_events.span_id = spans.span_id and span_events.trace_id = spans.trace_id and spans.received_ns <= $until_ns;

delete from span_links
using spans
where span_links.span_id = spans.span_id and span_links.trace_id = spans.trace_id and spans.received_ns <= $until_ns;

delete from spans
where received_ns <= $until_ns;
