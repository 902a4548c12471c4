-- Positions of incoming data points that the store already holds. The time range prunes row groups.
select i.position
from incoming_points as i
inner join data_points as p
  on i.series_id = p.series_id and i.time_ns = p.time_ns and i.start_ns = p.start_ns
where p.time_ns between $earliest_ns and $latest_ns
order by i.position asc
