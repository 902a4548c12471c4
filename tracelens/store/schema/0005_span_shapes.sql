-- What equal spans share is kept once, as their shape: a service sends millions of spans of a few hundred shapes, so a
-- span takes half the time to store, and less room. `spans` shows both as one.
--
-- span_shapes   attributes: those whose values are few; attribute_keys: of the others, whose values each span has
--               *_at: where in a span's values that column is, from 1; null where it has none
-- span_rows     what is a span's own; span_values: of its attributes, then of columns that few spans have, as text

alter table spans rename to wide_spans;

create table span_shapes (
  span_shape_id integer not null,
  digest blob not null,
  resource_id integer not null,
  scope_id integer not null,
  name varchar not null,
  kind utinyint not null,
  status_code utinyint not null,
  db_system varchar,
  db_namespace varchar,
  db_collection varchar,
  db_operation varchar,
  query_summary varchar,
  batch_size integer,
  server_address varchar,
  server_port integer,
  peer_service varchar,
  http_method varchar,
  http_status_code smallint,
  http_route varchar,
  url_template varchar,
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
  attributes struct(key varchar, value varchar)[] not null,
  attribute_keys varchar[] not null,
  status_message_at integer,
  trace_state_at integer,
  returned_rows_at integer,
  affected_rows_at integer,
  response_body_size_at integer,
  folded_spans_at integer,
  folded_ns_at integer,
  folded_longest_ns_at integer
);

create table span_rows (
  trace_id uuid not null,
  span_id ubigint not null,
  parent_span_id ubigint,
  start_ns bigint not null,
  duration_ns bigint not null,
  span_shape_id integer not null,
  weight float not null,
  query_text_id integer,
  parameter_hash bigint,
  url_full varchar,
  url_path varchar,
  url_query varchar,
  span_values varchar[] not null,
  received_ns bigint not null
);

-- Spans that are there already: their shapes name every attribute and all of the columns that few spans have.
create temp view shaped_spans as
select
  w.*,
  {
    'resource_id': w.resource_id,
    'scope_id': w.scope_id,
    'name': w.name,
    'kind': w.kind,
    'status_code': w.status_code,
    'db_system': w.db_system,
    'db_namespace': w.db_namespace,
    'db_collection': w.db_collection,
    'db_operation': w.db_operation,
    'query_summary': w.query_summary,
    'batch_size': w.batch_size,
    'server_address': w.server_address,
    'server_port': w.server_port,
    'peer_service': w.peer_service,
    'http_method': w.http_method,
    'http_status_code': w.http_status_code,
    'http_route': w.http_route,
    'url_template': w.url_template,
    'rpc_system': w.rpc_system,
    'rpc_method': w.rpc_method,
    'messaging_system': w.messaging_system,
    'messaging_destination': w.messaging_destination,
    'messaging_operation': w.messaging_operation,
    'message_count': w.message_count,
    'error_type': w.error_type,
    'code_function': w.code_function,
    'code_file': w.code_file,
    'code_line': w.code_line,
    'attributes': cast([] as struct(key varchar, value varchar)[]),
    'attribute_keys': list_transform(coalesce(w.attributes, []), lambda a: a.key)
  } as shape
from wide_spans as w;

create temp table migrated_shapes as
select
  d.shape,
  row_number() over () - 1 as span_shape_id
from (select distinct s.shape from shaped_spans as s) as d;

insert into span_shapes
select
  m.span_shape_id,
  encode(md5(cast(m.span_shape_id as varchar))) as digest,
  m.shape.resource_id,
  m.shape.scope_id,
  m.shape.name,
  m.shape.kind,
  m.shape.status_code,
  m.shape.db_system,
  m.shape.db_namespace,
  m.shape.db_collection,
  m.shape.db_operation,
  m.shape.query_summary,
  m.shape.batch_size,
  m.shape.server_address,
  m.shape.server_port,
  m.shape.peer_service,
  m.shape.http_method,
  m.shape.http_status_code,
  m.shape.http_route,
  m.shape.url_template,
  m.shape.rpc_system,
  m.shape.rpc_method,
  m.shape.messaging_system,
  m.shape.messaging_destination,
  m.shape.messaging_operation,
  m.shape.message_count,
  m.shape.error_type,
  m.shape.code_function,
  m.shape.code_file,
  m.shape.code_line,
  m.shape.attributes,
  m.shape.attribute_keys,
  len(m.shape.attribute_keys) + 1 as status_message_at,
  len(m.shape.attribute_keys) + 2 as trace_state_at,
  len(m.shape.attribute_keys) + 3 as returned_rows_at,
  len(m.shape.attribute_keys) + 4 as affected_rows_at,
  len(m.shape.attribute_keys) + 5 as response_body_size_at,
  len(m.shape.attribute_keys) + 6 as folded_spans_at,
  len(m.shape.attribute_keys) + 7 as folded_ns_at,
  len(m.shape.attribute_keys) + 8 as folded_longest_ns_at
from migrated_shapes as m;

insert into span_rows
select
  w.trace_id,
  w.span_id,
  w.parent_span_id,
  w.start_ns,
  w.duration_ns,
  m.span_shape_id,
  w.weight,
  w.query_text_id,
  w.parameter_hash,
  w.url_full,
  w.url_path,
  w.url_query,
  list_concat(
    list_transform(coalesce(w.attributes, []), lambda a: a.value), -- noqa: RF01
    [
      w.status_message,
      w.trace_state,
      cast(w.returned_rows as varchar),
      cast(w.affected_rows as varchar),
      cast(w.response_body_size as varchar),
      cast(w.folded_spans as varchar),
      cast(w.folded_ns as varchar),
      cast(w.folded_longest_ns as varchar)
    ]
  ) as span_values,
  w.received_ns
from shaped_spans as w
inner join migrated_shapes as m on w.shape is not distinct from m.shape;

drop view shaped_spans;
drop table migrated_shapes;
drop table wide_spans;

create view spans as
select
  r.trace_id,
  r.span_id,
  r.parent_span_id,
  r.start_ns,
  r.duration_ns,
  s.name,
  s.kind,
  s.status_code,
  r.span_values[s.status_message_at] as status_message,
  s.resource_id,
  s.scope_id,
  r.span_values[s.trace_state_at] as trace_state,
  r.weight,
  s.db_system,
  s.db_namespace,
  s.db_collection,
  s.db_operation,
  r.query_text_id,
  s.query_summary,
  r.parameter_hash,
  s.batch_size,
  cast(r.span_values[s.returned_rows_at] as bigint) as returned_rows,
  cast(r.span_values[s.affected_rows_at] as bigint) as affected_rows,
  s.server_address,
  s.server_port,
  s.peer_service,
  s.http_method,
  s.http_status_code,
  s.http_route,
  r.url_full,
  r.url_path,
  r.url_query,
  s.url_template,
  cast(r.span_values[s.response_body_size_at] as bigint) as response_body_size,
  s.rpc_system,
  s.rpc_method,
  s.messaging_system,
  s.messaging_destination,
  s.messaging_operation,
  s.message_count,
  s.error_type,
  s.code_function,
  s.code_file,
  s.code_line,
  list_concat(
    s.attributes,
    list_transform(list_zip(s.attribute_keys, r.span_values, true), lambda pair: struct_pack(key := pair[1], value := pair[2]))
  ) as attributes,
  r.received_ns,
  cast(r.span_values[s.folded_spans_at] as integer) as folded_spans,
  cast(r.span_values[s.folded_ns_at] as bigint) as folded_ns,
  cast(r.span_values[s.folded_longest_ns_at] as bigint) as folded_longest_ns,
  r.span_shape_id
from span_rows as r
inner join span_shapes as s on r.span_shape_id = s.span_shape_id;
