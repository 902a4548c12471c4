-- Who emitted the spans of an exemplar trace, most frequent first: names the web framework where the request is the subject.
select s.scope_name
from exemplar_spans as s
where s.trace_id = $trace_id and s.scope_name is not null
group by s.scope_name
order by count(*) desc, s.scope_name asc
