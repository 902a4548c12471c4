-- Made by docs/generate.py: what model.py makes of a relation that can have no rows.

create or replace temp table shape_tables (
  query_shape_id integer,
  table_name varchar
);

create or replace temp table paging_shapes (
  query_shape_id integer
);

create or replace temp table write_batches (
  query_shape_id integer,
  affects_many boolean
);

create or replace temp table index_columns (
  query_shape_id integer,
  table_name varchar,
  column_names varchar[]
);

create or replace temp table read_extents (
  query_shape_id integer,
  reads_whole_table boolean,
  takes_keys boolean,
  is_wide boolean,
  aggregates boolean,
  select_star boolean,
  selected_columns integer
);

create or replace temp table prepared_spans (
  trace_id uuid,
  span_id ubigint,
  parent_span_id ubigint,
  scope_id integer,
  start_ns bigint,
  query_text_id integer,
  query_shape_id integer
);

create or replace temp table prepared_texts (
  trace_id uuid,
  span_id ubigint,
  query_text_id integer,
  query_shape_id integer
);

create or replace temp table folded (
  trace_id uuid,
  outer_id ubigint,
  inner_id ubigint,
  outer_scope_id integer,
  folds varchar
);

create or replace temp table counted_rows (
  trace_id uuid,
  span_id ubigint,
  returned_rows bigint
);

create or replace temp table outer_facts (
  trace_id uuid,
  inner_id ubigint,
  scope_id integer,
  parameter_hash bigint,
  returned_rows bigint
);

create or replace temp table doubled_spans (
  trace_id uuid,
  span_id ubigint
);

create or replace temp table call_facts (
  trace_id uuid,
  span_id ubigint,
  parent_span_id ubigint,
  request_span_id ubigint,
  family varchar,
  start_ns bigint,
  end_ns bigint,
  scope_id integer,
  query_shape_id integer,
  has_text boolean,
  is_truncated boolean,
  text_parameter_hash bigint,
  outer_parameter_hash bigint,
  value_rows integer,
  returned_rows bigint,
  outer_scope_id integer,
  route varchar,
  span_shape_id integer,
  parameter_hash bigint,
  weight float
);

create or replace temp table call_details (
  trace_id uuid,
  span_id ubigint,
  start_ns bigint,
  path_template varchar,
  host varchar,
  url_hash bigint,
  returned_rows bigint,
  folded_spans integer,
  folded_ns bigint,
  mean_ns double,
  longest_ns double
);

create or replace temp table call_rows (
  trace_id uuid,
  span_id ubigint,
  request_span_id ubigint,
  parent_span_id ubigint,
  call_kind ubigint,
  has_text boolean,
  is_truncated boolean,
  parameter_hash bigint,
  start_ns bigint,
  end_ns bigint,
  idle_ns bigint,
  duration_ms double,
  longest_ms double,
  times bigint,
  value_rows integer,
  returned_rows bigint,
  weight double
);

create or replace temp table call_kinds (
  call_kind ubigint,
  service_name varchar,
  sdk_language varchar,
  endpoint varchar,
  entry_kind varchar,
  family varchar,
  db_system varchar,
  query_shape_id integer,
  shape varchar,
  statement varchar,
  is_read boolean,
  single_row_lookup boolean,
  is_error boolean,
  batch_size integer,
  scope_name varchar,
  orm_scope_name varchar,
  is_orm boolean,
  server_address varchar,
  resource_id integer
);

create or replace temp table call_counts (
  trace_id uuid,
  request_span_id ubigint,
  calls bigint
);

create or replace temp table table_writes (
  table_name varchar,
  trace_id uuid,
  request_span_id ubigint,
  start_ns bigint
);

create or replace temp table repeating (
  trace_id uuid,
  request_span_id ubigint,
  family varchar,
  shape varchar,
  query_shape_id integer,
  calls bigint,
  is_folded boolean,
  first_start_ns bigint,
  last_start_ns bigint,
  folded_idle_ns hugeint,
  visible_calls bigint,
  distinct_parameters bigint
);

create or replace temp table repeat_facts (
  trace_id uuid,
  request_span_id ubigint,
  family varchar,
  shape varchar,
  query_shape_id integer,
  calls bigint,
  is_folded boolean,
  first_start_ns bigint,
  last_start_ns bigint,
  folded_idle_ns hugeint,
  visible_calls bigint,
  distinct_parameters bigint,
  source_shape varchar,
  source_shape_id integer,
  other_calls bigint,
  has_write_between boolean,
  is_paging boolean
);

create or replace temp table call_groups (
  service_name varchar,
  endpoint varchar,
  entry_kind varchar,
  trace_id uuid,
  request_span_id ubigint,
  family varchar,
  shape varchar,
  statement varchar,
  is_read boolean,
  span_ids ubigint[],
  last_end_ns bigint,
  covered_ms double,
  longest_ms double,
  total_ms double,
  batch_size integer,
  has_orm boolean,
  query_shape_id integer,
  calls bigint,
  is_folded boolean,
  is_paced boolean,
  variation varchar,
  distinct_parameters bigint,
  first_start_ns bigint,
  idle_ms double,
  other_calls bigint,
  has_write_between boolean,
  is_paging boolean,
  source_shape varchar,
  source_shape_id integer
);

create or replace temp table group_calls (
  trace_id uuid,
  request_span_id ubigint,
  family varchar,
  shape varchar,
  span_id ubigint,
  start_ns bigint,
  end_ns bigint,
  busy_ns bigint,
  times bigint,
  duration_ms double,
  parameter_hash bigint,
  is_error boolean,
  is_pipelined boolean,
  url varchar,
  tick_ns integer
);

create or replace temp table identical_calls (
  trace_id uuid,
  request_span_id ubigint,
  family varchar,
  shape varchar,
  repeated_span_ids ubigint[],
  repeated_calls bigint,
  repeated_values bigint,
  repeated_ms double,
  repeated_longest_ms double
);

create or replace temp table round_trips (
  trace_id uuid,
  request_span_id ubigint,
  family varchar,
  shape varchar,
  round_trips double,
  pipelined_calls hugeint,
  failed_calls hugeint,
  is_paging boolean,
  repeated_span_ids ubigint[],
  repeated_calls bigint,
  repeated_values bigint,
  repeated_ms double,
  repeated_longest_ms double
);

create or replace temp table long_calls (
  trace_id uuid,
  span_id ubigint,
  request_span_id ubigint,
  start_ns bigint,
  end_ns bigint
);

create or replace temp table answers (
  trace_id uuid,
  request_span_id ubigint,
  answered_ns bigint
);

create or replace temp table passed_on (
  trace_id uuid,
  span_id ubigint
);

create or replace temp table waits (
  trace_id uuid,
  span_id ubigint,
  request_span_id ubigint,
  answered_ns bigint,
  waited_ms double,
  url varchar,
  is_empty_answer boolean,
  is_awaited boolean,
  is_passed_on boolean
);

create or replace temp table slow_requests (
  trace_id uuid,
  request_span_id ubigint,
  url varchar
);

create or replace temp table slow_request_nodes (
  trace_id uuid,
  span_id ubigint,
  parent_span_id ubigint,
  kind utinyint,
  scope_id integer,
  role varchar
);

create or replace temp table writing_transactions (
  trace_id uuid,
  request_span_id ubigint
);

create or replace temp table callers (
  trace_id uuid,
  span_id ubigint,
  caller_span_id ubigint,
  is_orm boolean
);

create or replace temp table serial_reads (
  service_name varchar,
  endpoint varchar,
  trace_id uuid,
  request_span_id ubigint,
  caller_span_id ubigint,
  run_number hugeint,
  span_id ubigint,
  shape varchar,
  start_ns bigint,
  duration_ms double
);

create or replace temp table late_starts (
  service_name varchar,
  endpoint varchar,
  trace_id uuid,
  request_span_id ubigint,
  idle_ns bigint,
  query_ns bigint
);

create or replace temp table paging_texts (
  query_text_id integer,
  offset_rows bigint,
  limit_rows bigint,
  is_ordered_page boolean,
  parameter_name varchar,
  place_in_list varchar
);

create or replace temp table recorded_pages (
  service_name varchar,
  endpoint varchar,
  shape varchar,
  trace_id uuid,
  span_id ubigint,
  request_span_id ubigint,
  start_ns bigint,
  duration_ms double,
  offset_rows bigint,
  limit_rows bigint,
  is_ordered_page boolean,
  parameter_name varchar,
  place_in_list varchar,
  parameter varchar,
  parameters varchar
);

create or replace temp table paged_reads (
  service_name varchar,
  endpoint varchar,
  shape varchar,
  trace_id uuid,
  span_id ubigint,
  request_span_id ubigint,
  start_ns bigint,
  duration_ms double,
  offset_rows bigint,
  known_by varchar
);

create or replace temp table pool_spans (
  trace_id uuid,
  span_id ubigint,
  parent_span_id ubigint,
  request_span_id ubigint,
  start_ns bigint,
  end_ns bigint,
  resource_id integer,
  server_address varchar,
  server_port integer,
  role varchar,
  opens varchar,
  db_system varchar
);

create or replace temp table connection_spans (
  trace_id uuid,
  span_id ubigint,
  parent_span_id ubigint,
  request_span_id ubigint,
  start_ns bigint,
  end_ns bigint,
  resource_id integer,
  server_address varchar,
  server_port integer,
  role varchar,
  opens varchar,
  db_system varchar
);

create or replace temp table connections (
  service_name varchar,
  endpoint varchar,
  entry_kind varchar,
  trace_id uuid,
  span_id ubigint,
  request_span_id ubigint,
  start_ns bigint,
  end_ns bigint,
  duration_ms double,
  role varchar,
  opens varchar,
  opening_ms double,
  db_system varchar
);

create or replace temp table prompt_starts (
  service_name varchar,
  endpoint varchar,
  trace_id uuid,
  request_span_id ubigint,
  idle_ns bigint,
  query_ns bigint,
  pause_ns bigint
);

create or replace temp table handovers (
  service_name varchar,
  endpoint varchar,
  trace_id uuid,
  request_span_id ubigint,
  start_ns bigint,
  waited_ms double,
  pause_ms double,
  peak_share double
);

create or replace temp table connection_waits (
  service_name varchar,
  endpoint varchar,
  trace_id uuid,
  request_span_id ubigint,
  span_id ubigint,
  start_ns bigint,
  wait_ms double,
  sign varchar,
  pause_ms double,
  peak_share double
);

create or replace temp table service_loads (
  service_name varchar,
  peak_requests bigint,
  processes bigint,
  round_trip_ms double
);

create or replace temp table openings (
  service_name varchar,
  endpoint varchar,
  trace_id uuid,
  request_span_id ubigint,
  span_id ubigint,
  start_ns bigint,
  duration_ms double,
  is_certain boolean
);

create or replace temp table marked_entries (
  trace_id uuid,
  span_id ubigint,
  start_ns bigint
);

create or replace temp table entry_attributes (
  trace_id uuid,
  span_id ubigint,
  start_ns bigint,
  headers struct("key" varchar, "value" varchar)[],
  has_sampling_hint boolean
);

create or replace temp table described_responses (
  service_name varchar,
  endpoint varchar,
  trace_id uuid,
  request_span_id ubigint,
  start_ns bigint,
  duration_ms double,
  weight double,
  http_method varchar,
  http_status_code smallint,
  url varchar,
  has_headers boolean,
  has_cache_header boolean,
  is_personal boolean,
  accepts_encoding varchar,
  content_encoding varchar,
  content_type varchar,
  body_bytes bigint,
  is_probe boolean
);

create or replace temp table response_counts (
  trace_id uuid,
  service_name varchar,
  response_headers integer,
  response_sizes integer,
  answered_reads integer,
  cache_headers integer,
  compressed integer,
  large_bodies integer
);

create or replace temp table repeated_reads (
  service_name varchar,
  shape varchar,
  identity bigint,
  first_ns bigint
);

create or replace temp table shared_reads (
  service_name varchar,
  endpoint varchar,
  shape varchar,
  query_shape_id integer,
  trace_id uuid,
  request_span_id ubigint,
  span_id ubigint,
  start_ns bigint,
  duration_ms double,
  weight double,
  is_hidden boolean,
  identity bigint
);

create or replace temp table written_seconds (
  table_name varchar,
  first_ns bigint,
  last_ns bigint
);

create or replace temp table metric_points (
  series_id integer,
  service_name varchar,
  resource_id integer,
  metric_name varchar,
  name varchar,
  preference integer,
  state varchar,
  cpu varchar,
  part varchar,
  pool varchar,
  host varchar,
  kind varchar,
  begin_ns bigint,
  time_ns bigint,
  value double,
  count bigint
);

create or replace temp table host_utilization (
  host varchar,
  part varchar,
  metric_name varchar,
  preference integer,
  resource_id integer,
  begin_ns bigint,
  time_ns bigint,
  utilization double
);

create or replace temp table host_cpu (
  host varchar,
  part varchar,
  metric_name varchar,
  resource_id integer,
  utilization double,
  time_ns bigint,
  begin_ns bigint
);

create or replace temp table measured_hosts (
  host varchar,
  host_names varchar[],
  database_sign varchar,
  certain_sign varchar,
  db_system varchar,
  service_name varchar
);

create or replace temp table called_addresses (
  server_address varchar,
  caller_host varchar,
  address varchar
);

create or replace temp table measured_addresses (
  host varchar,
  server_address varchar,
  caller_host varchar
);

create or replace temp table databases (
  host varchar,
  service_name varchar,
  db_system varchar,
  identified_by varchar,
  is_certain boolean
);

create or replace temp table database_calls (
  host varchar,
  trace_id uuid,
  span_id ubigint,
  request_span_id ubigint,
  service_name varchar,
  endpoint varchar,
  shape varchar,
  db_system varchar,
  start_ns bigint,
  end_ns bigint,
  duration_ms double,
  weight double
);

create or replace temp table database_cpu (
  host varchar,
  service_name varchar,
  identified_by varchar,
  is_certain boolean,
  db_system varchar,
  source varchar,
  begin_ns bigint,
  time_ns bigint,
  cpu_percent double,
  is_newest boolean
);

create or replace temp table database_loads (
  host varchar,
  services varchar[],
  db_system varchar,
  top_queries varchar[],
  query_totals_ms double[]
);

create or replace temp table pools (
  service_name varchar,
  pool varchar,
  pending bigint,
  timeouts bigint,
  mean_wait_ms double,
  pool_used bigint,
  pool_max bigint,
  wanted bigint,
  waits bigint,
  first_ns bigint,
  last_ns bigint,
  place bigint
);
