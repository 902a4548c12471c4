-- For weighted_q: where all weights are equal, a percentile is the same with and without them.
set variable weights_differ = (
  select coalesce(min(w.lightest) <> max(w.heaviest), false)
  from (
    select
      min(c.weight * c.times) as lightest,
      max(c.weight * c.times) as heaviest
    from calls as c
    union all
    select
      min(r.weight) as lightest,
      max(r.weight) as heaviest
    from requests as r
  ) as w
);
