-- A series is stored once, with what its name, unit and attributes mean (semconv/metric_names.toml); its points refer to
-- it. As with spans there are no primary keys: the writer alone makes ids, and refuses points that it already has.

create table metric_series (
  series_id integer not null,
  digest blob not null,
  resource_id integer not null,
  scope_id integer not null,
  metric_name varchar not null,
  unit varchar not null,
  kind varchar not null,
  temporality varchar,
  is_monotonic boolean,
  explicit_bounds double[],
  attributes struct(key varchar, value varchar)[] not null,
  -- What follows is null where the series is none that an analysis reads.
  name varchar,
  preference integer,
  scale double,
  state varchar,
  cpu varchar,
  part varchar,
  pool varchar,
  host varchar,
  host_names varchar[],
  database_sign varchar,
  db_system varchar
);

create table data_points (
  series_id integer not null,
  start_ns bigint not null,
  time_ns bigint not null,
  value double,
  int_value bigint,
  count bigint,
  sum double,
  min double,
  max double,
  bucket_counts bigint[],
  bucket_offset integer,
  negative_counts bigint[],
  negative_offset integer,
  scale integer,
  zero_count bigint,
  zero_threshold double,
  quantiles double[],
  quantile_values double[],
  received_ns bigint not null
);

create table data_point_exemplars (
  series_id integer not null,
  time_ns bigint not null,
  value double not null,
  trace_id uuid not null,
  span_id ubigint,
  received_ns bigint not null
);
