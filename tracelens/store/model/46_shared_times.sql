-- When requests read the same, and when tables were written.

-- What is read more than once, with the first time. Most is not, and its hash is less to compare than a shape.
create or replace temp table repeated_reads as
select
  r.service_name,
  r.shape,
  r.identity,
  min(r.start_ns) as first_ns
from shared_reads as r
where r.identity in (
    select i.identity
    from shared_reads as i
    group by i.identity
    having count(*) > 1
  )
group by r.service_name, r.shape, r.identity
having count(*) > 1;

-- The first and last write in each second: a table may be written more often than it is worth to look at each write.
create or replace temp table written_seconds as
select
  w.table_name,
  min(w.start_ns) as first_ns,
  max(w.start_ns) as last_ns
from table_writes as w
group by w.table_name, w.start_ns - w.start_ns % 1000000000;
