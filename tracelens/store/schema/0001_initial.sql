-- Spans land in the order of their arrival, which is nearly that of their time, so a time range prunes row groups.
-- No primary keys: their indexes would live in memory. The writer alone makes ids and refuses spans it already has.

create table resources (
  resource_id integer not null,
  digest blob not null,
  service_name varchar not null,
  sdk_language varchar,
  attributes struct(key varchar, value varchar)[] not null
);

create table scopes (
  scope_id integer not null,
  digest blob not null,
  scope_name varchar not null,
  scope_version varchar not null,
  attributes struct(key varchar, value varchar)[] not null
);

create table query_shapes (
  query_shape_id integer not null,
  db_system varchar not null,
  query_shape varchar not null,
  statement varchar not null,
  is_read boolean not null,
  command_class varchar,
  tables varchar[] not null,
  table_spellings varchar[] not null,
  written_tables varchar[] not null,
  filter_columns struct(table_name varchar, column_name varchar, operator varchar, expression varchar)[] not null,
  join_columns struct(table_name varchar, column_name varchar, operator varchar, expression varchar)[] not null,
  sort_columns struct(table_name varchar, column_name varchar, direction varchar)[] not null,
  constant_predicates varchar[] not null,
  select_star boolean not null,
  selected_columns integer not null,
  aggregates boolean not null,
  has_limit boolean not null,
  has_offset boolean not null,
  single_row_lookup boolean not null,
  parsed boolean not null
);

create table query_texts (
  query_text_id integer not null,
  query_shape_id integer not null,
  query_text varchar not null,
  parameter_hash bigint,
  offset_rows bigint,
  limit_rows bigint,
  value_rows integer,
  truncated boolean not null
);

create table spans (
  trace_id uuid not null,
  span_id ubigint not null,
  parent_span_id ubigint,
  start_ns bigint not null,
  duration_ns bigint not null,
  name varchar not null,
  kind utinyint not null,
  status_code utinyint not null,
  status_message varchar,
  resource_id integer not null,
  scope_id integer not null,
  trace_state varchar,
  weight float not null,
  db_system varchar,
  db_namespace varchar,
  db_collection varchar,
  db_operation varchar,
  query_text_id integer,
  query_summary varchar,
  parameter_hash bigint,
  batch_size integer,
  returned_rows bigint,
  affected_rows bigint,
  server_address varchar,
  server_port integer,
  peer_service varchar,
  http_method varchar,
  http_status_code smallint,
  http_route varchar,
  url_full varchar,
  url_path varchar,
  url_query varchar,
  url_template varchar,
  response_body_size bigint,
  rpc_system varchar,
  rpc_method varchar,
  messaging_system varchar,
  messaging_destination varchar,
  messaging_operation varchar,
  message_count integer,
  error_type varchar,
  code_function varchar,
  code_file varchar,
  code_line integer,
  attributes struct(key varchar, value varchar)[],
  received_ns bigint not null
);

create table span_events (
  trace_id uuid not null,
  span_id ubigint not null,
  time_ns bigint not null,
  name varchar not null,
  attributes struct(key varchar, value varchar)[]
);

create table span_links (
  trace_id uuid not null,
  span_id ubigint not null,
  linked_trace_id uuid not null,
  linked_span_id ubigint not null,
  trace_state varchar,
  attributes struct(key varchar, value varchar)[]
);

-- How far the journal is applied: written in the transaction that applies it, so a restart neither loses nor doubles.
create table journal_position (
  applied_sequence bigint not null
);
insert into journal_position values (0);

create table escalation_events (
  event_number bigint not null,
  event_key varchar not null,
  state varchar not null,
  time_ns bigint not null,
  event varchar not null
);
