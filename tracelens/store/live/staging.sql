-- The spans of the touched traces, all that the window holds of them, and the texts of their queries, which another trace may
-- have prepared. Under these names the model's scripts read them instead of the store's; so does a view `spans` like the store's.

create temp table span_rows as
select s.*
from span_rows as s
inner join touched as t on s.trace_id = t.trace_id and s.received_ns >= t.from_ns
where s.received_ns >= $from_ns;

create temp table query_texts as
select t.*
from query_texts as t
where t.query_text_id in (
    select s.query_text_id from span_rows as s
    union all
    select p.query_text_id from _live.prepared_spans as p
  );
