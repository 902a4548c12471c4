-- Who has been told of each breach since it began: every firing event after the breach's last end counts.
select distinct
  e.event_key,
  d.notifier
from escalation_events as e
inner join escalation_deliveries as d on e.event_number = d.event_number
where e.event_number > coalesce((
    select max(l.event_number) from escalation_events as l
    where l.event_key = e.event_key and l.state = 'resolved'
  ), 0)
order by e.event_key asc, d.notifier asc
