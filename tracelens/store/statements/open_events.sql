-- The last event of every breach, where that is not its end.
select
  e.event_key,
  e.event
from escalation_events as e
where e.state = 'firing'
  and e.event_number = (
    select max(l.event_number) from escalation_events as l
    where l.event_key = e.event_key
  )
order by e.event_number
