-- The outbox: one row for each event and notifier, made in the transaction that records the event. What is not delivered
-- is sent again, after a restart too.
create table escalation_deliveries (
  event_number bigint not null,
  notifier varchar not null,
  delivery_group varchar not null,
  state varchar not null,
  attempts integer not null,
  next_ns bigint not null,
  changed_ns bigint not null,
  failure varchar
);
