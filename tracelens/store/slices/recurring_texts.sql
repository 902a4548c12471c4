create or replace temp table recurring_texts as
select t.*
from query_texts as t
where t.query_text_id in (select i.query_text_id from recurring_text_ids as i);
