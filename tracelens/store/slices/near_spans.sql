-- Of a range, all: what else the model reads of spans it finds by their trace and id, and leaves the other traces alone. To
-- leave them out takes longer than many of its statements.
create or replace temp view spans as
select s.*
from stored_spans as s
where s.start_ns >= getvariable('slice_from_ns')
  and s.start_ns < getvariable('slice_to_ns')
  and s.received_ns <= getvariable('slice_until_ns');
