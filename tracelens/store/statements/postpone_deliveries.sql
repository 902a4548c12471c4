-- Deliveries failed and are to be tried again.
update escalation_deliveries set
  attempts = attempts + 1,
  next_ns = $next_ns,
  changed_ns = $now_ns,
  failure = $failure
where notifier = $notifier and event_number in (select unnest($numbers::bigint[]))
