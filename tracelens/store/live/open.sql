-- The window's relations: a database in memory beside the store, seen by every reader. What is kept of the model is made as
-- the model's scripts make it; here is what keeps it up to date.
--
-- traces         every trace of the window: from when to when its spans were received, and since when the first of them
--                waits that has no parent yet; when it was made and until when it is left alone; is_due where it has to be
--                made anew, because spans came in or because another trace changed what is known of it
-- foreign_links  queries without text that link to spans of other traces: to a prepared statement, perhaps
-- sockets        sockets that are connections where a query shows a database at their other end

attach if not exists ':memory:' as _live (compress); -- noqa: PRS

create table if not exists _live.traces (
  trace_id uuid not null,
  spans bigint not null,
  first_received_ns bigint not null,
  last_received_ns bigint not null,
  waits_since_ns bigint,
  made_ns bigint not null,
  rests_until_ns bigint not null,
  is_due boolean not null
);

create table if not exists _live.prepared_spans (
  trace_id uuid not null,
  span_id ubigint not null,
  parent_span_id ubigint,
  scope_id integer not null,
  start_ns bigint not null,
  query_text_id integer not null,
  query_shape_id integer not null
);

create table if not exists _live.foreign_links (
  trace_id uuid not null,
  linked_trace_id uuid not null
);

create table if not exists _live.database_addresses (
  trace_id uuid not null,
  resource_id integer not null,
  server_address varchar,
  server_port integer not null
);

create table if not exists _live.sockets (
  trace_id uuid not null,
  resource_id integer not null,
  server_address varchar,
  server_port integer
);
