-- What a notifier has still to deliver, in the order of the events.
select
  d.event_number,
  d.delivery_group,
  d.attempts,
  d.next_ns,
  e.event
from escalation_deliveries as d
inner join escalation_events as e on d.event_number = e.event_number
where d.notifier = $notifier and d.state = $state
order by d.event_number
