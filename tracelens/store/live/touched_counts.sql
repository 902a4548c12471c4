-- What a step has to do. Most traces are seen once: of these nothing was kept.
select
  (select count(*) from replaced) as replaced,
  (select count(*) from touched) as touched,
  (select count(*) from postponed) as postponed,
  (select min(t.from_ns) from touched as t) as from_ns,
  exists(
    select 1 from _live.traces as t
    where t.trace_id in (select r.trace_id from replaced as r)
  ) as has_old,
  exists (select 1 from _live.foreign_links) or exists (select 1 from _live.sockets) as has_dependents
