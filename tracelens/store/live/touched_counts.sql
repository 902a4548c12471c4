select
  (select count(*) from replaced) as replaced,
  (select count(*) from touched) as touched,
  (select min(t.from_ns) from touched as t) as from_ns
