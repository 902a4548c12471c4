-- What the spans of each service in a trace say of the data itself, counted: where it is thin or wrong, and what of the
-- checklist it shows. One row per request, and one per trace and service for their calls, so that windows add up.
--
-- sampled            requests that stand for others, by their trace state; sampled_weight is how many they stand for
-- sampling_hints     requests that were sampled, by an attribute of another vendor, at a rate that nothing counts with
-- lost_parents       requests that are none: their parent, in the same process, never came
-- unseen_callers     requests whose caller sends its spans elsewhere
-- called             requests whose caller is here; skewed are those that begin before or end after the call that made
--                    them, as only clocks that differ let them, skew_ms the most that they are out
-- routed, routeless  HTTP requests that name their route, or should
-- rate_limits        answers that refused a client for asking too often, or told it how often it may ask
-- field_choices      requests that said which fields they want
-- timed_out          calls that were given up after a time
-- lifetimes          values that were written to a cache with a lifetime; endless without, both only where that shows
-- cache_deletions    keys taken out of a cache

create or replace temp table trace_evidence as
with entries as (
  select
    e.trace_id,
    e.service_name,
    e.entry_kind,
    e.http_status_code,
    e.span_weight,
    e.http_method,
    e.http_route,
    e.has_sampling_hint,
    e.http_status_code = 429 or has_attribute(e.headers, '(?i)^http\.response\.header\.(x[-_])?rate[-_]?limit') as is_rate_limit,
    -- Most URLs name nothing.
    case
      when position('=' in coalesce(e.url_query, e.url_path, e.url_full)) > 0
        then matches(
            coalesce(e.url_query, e.url_path, e.url_full),
            '(?i)(^|[?&])(_?fields|select|\$select|%24select|only|include_fields)(\[\w+\]|%5B\w+%5D)?='
          )
    end or matches(e.http_route, '(?i)\bgraphql\b') as is_field_choice,
    e.parent_span_id is not null and p.span_id is null as is_orphan,
    p.kind = 3 and c.service_name <> e.service_name as is_called,
    -- A server that ends after its caller may just have worked on when that had given up: only one that was not busy for
    -- longer than its caller waited shows another clock by it.
    as_ms(greatest(
      p.start_ns - e.start_ns,
      case when e.end_ns - e.start_ns <= p.duration_ns then e.end_ns - p.start_ns - p.duration_ns else 0 end
    )) as skew_ms
  from entry_spans as e
  -- The parent may have started before the window did, but not by more than an hour.
  left join spans as p
    on e.trace_id = p.trace_id
      and e.parent_span_id = p.span_id
      and p.start_ns >= greatest($start_ns, -9000000000000000000) - 3600000000000
  left join resources as c on p.resource_id = c.resource_id
),

call_flags as (
  select
    c.trace_id,
    c.service_name,
    c.is_error and c.duration_ms <= 60000 and (
      matches(s.error_type, '(?i)time[-_ ]?d?[-_ ]?out|deadline')
      or matches(s.status_message, '(?i)time[-_ ]?d?[-_ ]?out|deadline exceeded')
    ) as is_timed_out,
    c.family = 'cache' and (
      matches(c.statement, '^(p?setex|p?expire(at)?|getex|hsetex|hp?expire(at)?)$')
      -- Of masked arguments their number tells: EX and seconds make four of two.
      or (c.statement = 'set' and matches(
        t.query_text, '(?i)\s(ex|px|exat|pxat)\s+\S+|\[[3-9] other arguments\]|^set \S+( \?){3,}$'
      ))
    ) as has_lifetime,
    c.family = 'cache' and c.statement = 'set' and matches(
      t.query_text, '(?i)^set \S+ (\[1 other arguments?\]|[^\s\[]\S*)$'
    ) as is_endless,
    c.family = 'cache' and matches(c.statement, '^(del|unlink|delete|hdel|json\.del)$') as is_deletion
  from calls as c
  inner join spans as s on c.trace_id = s.trace_id and c.span_id = s.span_id and c.start_ns = s.start_ns
  left join query_texts as t on s.query_text_id = t.query_text_id
  -- Spans that are neither need not be read.
  inner join shape_families as f on s.span_shape_id = f.span_shape_id and (f.is_error or f.family = 'cache')
  where c.is_error or (c.family = 'cache' and not c.is_read)
)

select
  e.trace_id,
  e.service_name,
  cast(e.span_weight > 1 as integer) as sampled,
  cast(case when e.span_weight > 1 then e.span_weight end as decimal(18, 3)) as sampled_weight,
  cast(e.has_sampling_hint as integer) as sampling_hints,
  cast(e.is_orphan and e.entry_kind in ('job', 'call') as integer) as lost_parents,
  cast(e.is_orphan and e.entry_kind in ('server', 'consumer') as integer) as unseen_callers,
  cast(coalesce(e.is_called, false) and e.entry_kind = 'server' as integer) as called,
  -- JavaScript's clocks drift by some milliseconds within one machine.
  cast(coalesce(e.is_called and e.skew_ms > 10, false) and e.entry_kind = 'server' as integer) as skewed,
  case when e.is_called and e.entry_kind = 'server' and e.skew_ms > 10 then e.skew_ms end as skew_ms,
  cast(e.entry_kind = 'server' and e.http_route is not null as integer) as routed,
  cast(
    e.entry_kind = 'server'
    and e.http_method is not null
    and e.http_method <> 'OPTIONS'
    and e.http_route is null
    and coalesce(e.http_status_code not in (301, 302, 308, 404, 405), true) as integer
  ) as routeless,
  cast(e.entry_kind = 'server' and coalesce(e.is_rate_limit, false) as integer) as rate_limits,
  cast(e.entry_kind = 'server' and coalesce(e.is_field_choice, false) as integer) as field_choices,
  0 as timed_out,
  0 as lifetimes,
  0 as endless,
  0 as cache_deletions
from entries as e
union all
select
  c.trace_id,
  c.service_name,
  0 as sampled,
  null as sampled_weight,
  0 as sampling_hints,
  0 as lost_parents,
  0 as unseen_callers,
  0 as called,
  0 as skewed,
  null as skew_ms,
  0 as routed,
  0 as routeless,
  0 as rate_limits,
  0 as field_choices,
  cast(sum(case when c.is_timed_out then 1 else 0 end) as integer) as timed_out,
  cast(sum(case when c.has_lifetime then 1 else 0 end) as integer) as lifetimes,
  cast(sum(case when c.is_endless then 1 else 0 end) as integer) as endless,
  cast(sum(case when c.is_deletion then 1 else 0 end) as integer) as cache_deletions
from call_flags as c
group by c.trace_id, c.service_name;
