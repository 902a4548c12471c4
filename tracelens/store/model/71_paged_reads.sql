-- Calls that skip rows, with how many they skip where anything tells.
--
-- offset_rows  rows skipped
-- known_by     text, parameter (the bound value was recorded) or url (placeholders hide the value, and the request asked
--              for this page of the one ordered list that the query reads)

create or replace temp table paging_texts as
with tails as (
  select
    t.query_text_id,
    t.query_text,
    coalesce(t.offset_rows, number_in(t.query_text, '(?i)\boffset\s+([0-9]{1,18})\b')) as offset_rows,
    t.limit_rows,
    h.has_limit and matches(h.query_shape, '(?i)\border\s+by\b') as is_ordered_page,
    -- From OFFSET, or MySQL's LIMIT offset, count, to the end of the text.
    regexp_extract(
      t.query_text, '(?is)\b(?:offset\s+(?:\$[0-9]|\?|%s|[:@][a-z0-9_]|%\([a-z0-9_]+\)s)|limit\s+(?:\?|%s)\s*,).*$'
    ) as tail
  from query_texts as t
  inner join query_shapes as h on t.query_shape_id = h.query_shape_id
  where h.has_offset
),

marked as (
  select
    t.*,
    regexp_extract(t.tail, '\$[0-9]+|\?|%s|[:@][A-Za-z0-9_]+|%\([A-Za-z0-9_]+\)s') as marker,
    count_matches(replace_all(t.tail, '::\w+', ''), '\$[0-9]+|\?|%s|[:@][A-Za-z0-9_]+|%\([A-Za-z0-9_]+\)s') as markers
  from tails as t
)

select
  m.query_text_id,
  m.offset_rows,
  m.limit_rows,
  m.is_ordered_page,
  -- The parameter's name, or its ordinal from 0.
  case
    when
      m.marker in ('?', '%s')
      then cast(count_matches(left(m.query_text, length(m.query_text) - length(m.tail)), '\?|%s') as varchar)
    when left(m.marker, 1) = '$' then cast(number_in(m.marker, '([0-9]+)') - 1 as varchar)
    when m.marker <> '' then regexp_extract(m.marker, '[A-Za-z0-9_]+')
  end as parameter_name,
  case when m.markers > 1 then '([0-9]{1,18})[^0-9]+[0-9]+[^0-9]*$' else '([0-9]{1,18})[^0-9]*$' end as place_in_list
from marked as m;

create or replace temp table recorded_pages as
select
  c.service_name,
  c.endpoint,
  c.shape,
  c.trace_id,
  c.span_id,
  c.request_span_id,
  c.start_ns,
  c.duration_ms,
  p.offset_rows,
  p.limit_rows,
  p.is_ordered_page,
  p.parameter_name,
  p.place_in_list,
  attribute(s.attributes, 'db.query.parameter.' || p.parameter_name) as parameter,
  coalesce(
    attribute(s.attributes, 'db.statement.parameters'),
    attribute(s.attributes, 'db.postgresql.values'),
    attribute(s.attributes, 'mysql.values'),
    attribute(s.attributes, 'db.typeorm.parameters'),
    attribute(s.attributes, 'pgx.query.parameters'),
    attribute(s.attributes, 'jdbc.params[0]')
  ) as parameters
from calls as c
inner join spans as s on c.trace_id = s.trace_id and c.span_id = s.span_id and c.start_ns = s.start_ns
inner join paging_texts as p on s.query_text_id = p.query_text_id;

create or replace temp table paged_reads as
with bound as (
  select
    r.*,
    case
      when r.offset_rows is not null then r.offset_rows
      when r.parameter is not null then number_in(r.parameter, '^"?([0-9]{1,18})"?$')
      when left(r.parameters, 1) = '{'
        then number_in(r.parameters, '\b' || r.parameter_name || '[''"]?\s*[:=]\s*([0-9]{1,18})\b')
      else number_in(r.parameters, r.place_in_list)
    end as bound_rows
  from recorded_pages as r
),

-- What the request asked for: ?offset=…, or ?page=… with the size of a page, each in the spellings of usual frameworks.
asked as (
  select
    a.trace_id,
    a.request_span_id,
    number_in(
      a.url, '(?i)[?&](?:page(?:%5B|\[))?(?:offset|skip|start_?index|first_?result)(?:%5D|\])?=([0-9]{1,9})(?:&|$)'
    ) as offset_rows,
    number_in(
      a.url, '(?i)[?&](?:page|page_?(?:number|num|no)|page(?:%5B|\[)number(?:%5D|\]))=([0-9]{1,9})(?:&|$)'
    ) as page,
    number_in(
      a.url, '(?i)[?&](?:limit|size|per_?page|page_?size|page(?:%5B|\[)(?:size|limit)(?:%5D|\]))=([0-9]{1,6})(?:&|$)'
    ) as page_size
  from responses as a
  where matches(a.url, '[?&]')
)

select
  b.service_name,
  b.endpoint,
  b.shape,
  b.trace_id,
  b.span_id,
  b.request_span_id,
  b.start_ns,
  b.duration_ms,
  coalesce(b.bound_rows, a.offset_rows, (a.page - 1) * coalesce(a.page_size, b.limit_rows, 1)) as offset_rows,
  case when b.offset_rows is not null then 'text' when b.bound_rows is not null then 'parameter' else 'url' end as known_by
from bound as b
left join asked as a
  on b.trace_id = a.trace_id and b.request_span_id = a.request_span_id and b.bound_rows is null and b.is_ordered_page;
