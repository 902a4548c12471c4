select coalesce(max(s.query_text_id), -1) as last_text_id
from span_rows as s
where s.start_ns >= $from_ns and s.start_ns < $to_ns
