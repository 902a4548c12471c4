-- What differs between engines hides here, one definition per engine: passes and model are written in the portable
-- subset and call these. This is DuckDB's.

-- Quantile of x at p, as a value that occurs.
create or replace macro q(x, p) as quantile_disc(x, p);

-- The value that goes with the largest key; keys are a row, so that ties fall the same way every time.
create or replace macro argmax(x, keys) as arg_max(x, keys);

-- Values in the order of a key. For exemplars, not for every group.
create or replace macro ordered_list(x, key) as list(x order by key, x);

create or replace macro matches(x, pattern) as regexp_matches(x, pattern);
create or replace macro replace_all(x, pattern, replacement) as regexp_replace(x, pattern, replacement, 'g');

-- The value of an attribute that has no column of its own; null where the span does not carry it.
create or replace macro attribute(attributes, name) as list_filter(attributes, lambda a: a.key = name)[1].value;

-- Names of attributes in an attribute list.
create or replace macro attribute_names(attributes) as list_transform(attributes, lambda a: a.key);

create or replace macro as_ms(ns) as round(ns / 1e6, 3);

-- Whether an operation without query text reads, by its name: document stores and key-value stores name their operations so.
create or replace macro is_reading(operation) as matches(
  operation,
  '(?i)^[a-z0-9_.$ ]*\b(select|find|findone|find_one|get|getitem|batchgetitem|query|scan|aggregate|count|distinct|search|mget)\b'
);

-- The part of a URL that names the resource: ids in the path become {id}, the query goes.
create or replace macro url_path_template(path) as replace_all(
  replace_all(regexp_replace(path, '[?#].*$', ''), '/([0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{16,})(?:\b)', '/{id}'),
  '/[^/]*[0-9]{5,}[^/]*', '/{id}'
);

-- Ids in hex, at the edge only.
create or replace macro trace_hex(id) as replace(cast(id as varchar), '-', '');
create or replace macro span_hex(id) as lpad(lower(to_hex(id)), 16, '0');
