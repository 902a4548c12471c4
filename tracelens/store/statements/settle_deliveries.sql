-- Deliveries are done, or refused for good.
update escalation_deliveries set
  state = $state,
  changed_ns = $now_ns,
  failure = $failure
where notifier = $notifier and event_number in (select unnest($numbers::bigint[]))
