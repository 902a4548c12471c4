-- The spans of one slice and the texts of their queries, under the names under which the model's scripts look for them among
-- the store's. A view cannot be bound; it can read variables, which prune row groups as well.

set variable slice_from_ns = $from_ns;
set variable slice_to_ns = $to_ns;
set variable slice_until_ns = $until_ns;
set variable slice_part = $part;

create or replace temp table slice_traces as
select t.trace_id
from straddling_traces as t
where case when $part is null then t.first_ns < $to_ns and t.last_ns >= $from_ns else t.part = $part end;

create or replace temp table query_texts as
select t.*
from stored_query_texts as t
where t.query_text_id >= $first_text_id and t.query_text_id <= $last_text_id
union all
select r.*
from recurring_texts as r
where not (r.query_text_id >= $first_text_id and r.query_text_id <= $last_text_id);
