-- Texts of a range that came with an earlier one already.
insert into recurring_text_ids
select distinct s.query_text_id
from span_rows as s
where s.start_ns >= $from_ns and s.start_ns < $to_ns and s.query_text_id < $first_text_id;
