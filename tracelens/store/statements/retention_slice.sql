-- Where a slice of the oldest spans and data points ends: small enough for one transaction.
select max(s.received_ns) as until_ns
from (
  select r.received_ns
  from (
    select received_ns from span_rows
    union all
    select received_ns from data_points
  ) as r
  where r.received_ns < $before_ns
  order by r.received_ns
  limit $slice_spans
) as s
