-- What differs between engines hides here, one definition per engine: passes and model are written in the portable
-- subset and call these. This is DuckDB's.

-- Quantile of x at p, as a value that occurs.
create or replace macro q(x, p) as quantile_disc(x, p);

-- The same where each value stands for as many as its weight says: the value that q would give of them all.
--
-- Where all weights of a window are equal, which the model says in a variable, that is q, and costs no more. Else the values
-- are sorted and their weights added up until the share is reached; of more than 10,000 in one group, three digits count,
-- which keeps the result within half a percent. (A billionth less is asked for than the share: sums of weights have an error.)
create or replace macro weighted_values(x, weight) as list_sort(
  list(struct_pack(x := cast(x as double), weight := cast(weight as double)))
  filter (where getvariable('weights_differ') and x is not null)
);
create or replace macro three_digits(x) as case when x > 0 then round(x, cast(2 - floor(log10(x)) as integer)) else x end;
create or replace macro thinned(pairs) as case
  when len(pairs) <= 10000 then pairs
  else list_sort(list_transform(
      map_entries(list_aggregate(
        list_transform(pairs, lambda e: struct_pack(x := three_digits(e.x), weight := e.weight)), 'histogram'
      )),
      lambda e: struct_pack(x := e.key.x, weight := e.key.weight * e.value)
    ))
end;
create or replace macro added_up(a, e, share) as case
  when a.weight >= share then a else struct_pack(x := e.x, weight := a.weight + e.weight)
end;
-- The linter knows no lambda of two arguments.
create or replace macro value_at(pairs, share) as list_reduce(pairs, lambda a, e: added_up(a, e, share)).x; -- noqa: PRS
create or replace macro weighted_q(x, weight, p) as coalesce(
  value_at(
    thinned(weighted_values(x, weight)),
    p * (1 - 1e-9) * sum(cast(weight as double)) filter (where getvariable('weights_differ') and x is not null)
  ),
  quantile_disc(x, p)
);

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

-- Sum of milliseconds that does not depend on the order of adding, as a sum of floating-point numbers would.
create or replace macro sum_ms(ms) as cast(sum(cast(ms as decimal(18, 3))) as double);

create or replace macro as_ms(ns) as round(ns / 1e6, 3);

-- Sum of what each of a sample stands for: milliseconds times weight, or the weights themselves. And how many there were.
create or replace macro weighted_sum(x) as cast(sum(cast(x as decimal(38, 3))) as double);
create or replace macro estimated(weight) as cast(round(sum(cast(weight as decimal(38, 3)))) as bigint);

-- How many spans a span stands for: one, unless it is a summary. And the mean duration of those, which it tells by their sum.
create or replace macro stands_for(folded_spans) as greatest(coalesce(folded_spans, 1), 1);
create or replace macro mean_ns(duration_ns, folded_ns, folded_spans) as case
  when folded_spans > 1 then greatest(coalesce(folded_ns, duration_ns), 0) / folded_spans else greatest(duration_ns, 0)
end;

-- Whether an operation without query text reads, by its name: document stores and key-value stores name their operations so.
create or replace macro is_reading(operation) as matches(
  operation,
  '(?i)^[a-z0-9_.$ ]*\b(select|find|findone|find_one|get|getitem|batchgetitem|query|scan|aggregate|count|distinct|search'
  || '|mget|gets|hget|hgetall|hmget|exists|smembers|sismember|scard|zrange|zscore|lrange|llen|ttl|strlen)\b'
);

-- A number that equal texts share.
create or replace macro text_hash(x) as case when x is not null then cast(hash(x) >> 1 as bigint) end;

-- A number that equal tuples share.
create or replace macro kind_of(facts) as hash(facts);

-- The part of a URL that names the resource: ids in the path become {id}, the query goes.
-- An id is a segment of digits, a UUID or hex, digits after a separator (`order-17`), an address, or has three digits;
-- `v1` and `oauth2` are none.
create or replace macro url_path_template(path) as replace_all(
  regexp_replace(path, '[?#].*$', ''),
  '/(?:[0-9][^/]*|[0-9a-fA-F]{16,}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[^/]*[-_:~=][0-9][^/]*'
  || '|[^/]*[0-9][^/]*[0-9][^/]*[0-9][^/]*|[^/]+@[^/]+)',
  '/{id}'
);

-- The same as the route that served it writes them: `/users/:id`, `/users/<int:pk>`.
create or replace macro route_template(route) as '/' || ltrim(replace_all(route, ':\w+|\{[^}]*\}|<[^>]*>', '{id}'), '/');

-- The path of a URL, with its query; and all that is known of it.
create or replace macro url_path_of(url_full, url_path) as coalesce(replace_all(url_full, '^[a-z]+://[^/]*', ''), url_path, '');
create or replace macro full_url(url_full, url_path, url_query) as coalesce(
  url_full, url_path || coalesce('?' || nullif(url_query, ''), '')
);

-- The same; null where the query is hidden, as .NET's instrumentation does (`?*`).
create or replace macro visible_url(url_full, url_path, url_query) as case
  when not matches(full_url(url_full, url_path, url_query), '\?\*$') then full_url(url_full, url_path, url_query)
end;

-- A URL without what asks for one page of a list.
create or replace macro without_page(url) as replace_all(
  replace_all(url, '\?', '&'),
  '(?i)&(page|page_?no|page_?num(ber)?|page_?token|page_?index|page_?size|per_?page|limit|offset|skip|start|starting_?after'
  || '|start_?at|after|before|cursor|since|since_id|marker|next|next_?token|continuation(-?token)?|scroll_id|part_?number)'
  || '(%5B[a-z]+%5D|\[[a-z]+\])?=[^&#]*|/page/[0-9]+',
  ''
);

-- The last id that a URL names, in its path or as `…id=`; null where it names none.
create or replace macro url_id(url) as nullif(coalesce(
  nullif(regexp_extract(url, '(?i)[?&][a-z_-]*id=([^&#]+)', 1), ''),
  regexp_extract(
    replace_all(url, '^[a-z]+://[^/]*|[?#].*$', ''), '.*/([0-9][^/]*|[^/]*[-_:~=][0-9][^/]*|[0-9a-fA-F-]{16,})', 1
  )
), '');

-- What a cache command's shape says of the key; `?` where it is masked.
create or replace macro key_template(shape) as regexp_extract(shape, '^\S+ (\S+)', 1);

-- The attributes that describe HTTP headers, request's and response's.
create or replace macro header_attributes(attributes) as list_filter(
  attributes, lambda a: starts_with(a.key, 'http.response.header.') or starts_with(a.key, 'http.request.header.')
);

-- Whether an attribute list has a name like this; the value of the first that has.
create or replace macro has_attribute(attributes, pattern) as len(list_filter(attributes, lambda a: matches(a.key, pattern))) > 0;
create or replace macro attribute_like(attributes, pattern) as list_filter(
  attributes, lambda a: matches(a.key, pattern)
)[1].value;

-- How often a pattern occurs in a text.
create or replace macro count_matches(x, pattern) as len(regexp_extract_all(x, pattern));

-- The number that a pattern's group finds in a text; null where there is none. At most 18 digits, so that it fits.
create or replace macro number_in(x, pattern) as cast(nullif(regexp_extract(x, pattern, 1), '') as bigint);

-- Paths that machines ask for, to be answered anew each time: health checks, metrics.
create or replace macro is_probe_path(path) as matches(
  path,
  '(?i)^/(ping|status|up|live|ready|alive|version|favicon\.ico)/?([?#]|$)'
  || '|/(_?health[a-z_-]*|livez|liveness|readyz|readiness|heartbeat|metrics|prometheus)'
  || '(/(live|ready|startup|check|ping|db)[a-z]*)?/?([?#]|$)'
  || '|/actuator/'
);

-- Whether a shape's filter compares a column with this operator.
create or replace macro has_operator(filter_columns, operator_name) as len(list_filter(
  filter_columns, lambda f: f.operator = operator_name
)) > 0;

-- Names of a host: whether it has this one, whether a pattern fits one of them; and all names of several lists.
create or replace macro has_name(names, name) as list_contains(names, name);
create or replace macro has_name_like(names, pattern) as len(list_filter(names, lambda n: matches(n, pattern))) > 0;
create or replace macro all_names(lists) as list_distinct(flatten(list(lists)));

-- Whether a measured value is a number at all.
create or replace macro is_number(x) as x is not null and not isnan(x);

-- Ids in hex, at the edge only.
create or replace macro trace_hex(id) as replace(cast(id as varchar), '-', '');
create or replace macro span_hex(id) as lpad(lower(to_hex(id)), 16, '0');
