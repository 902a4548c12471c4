-- Of a range, without the traces that reach into others.
create or replace temp view spans as
select s.*
from stored_spans as s
where s.start_ns >= getvariable('slice_from_ns')
  and s.start_ns < getvariable('slice_to_ns')
  and s.received_ns <= getvariable('slice_until_ns')
  and not exists (
    select 1
    from slice_traces as t
    where t.trace_id = s.trace_id
  );
