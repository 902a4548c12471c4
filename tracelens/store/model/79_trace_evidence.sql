-- What the spans of each service in a trace say of the data itself, counted: where it is thin or wrong, and what of the
-- checklist it shows. One row per trace and service, so that windows add up.
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
    r.trace_id,
    r.service_name,
    r.entry_kind,
    r.http_status_code,
    s.weight,
    s.http_method,
    s.http_route,
    s.attributes,
    coalesce(s.url_query, s.url_path, s.url_full) as asked_for,
    s.parent_span_id is not null and p.span_id is null as is_orphan,
    p.kind = 3 and c.service_name <> r.service_name as is_called,
    -- A server that ends after its caller may just have worked on when that had given up: only one that was not busy for
    -- longer than its caller waited shows another clock by it.
    as_ms(greatest(
      p.start_ns - r.start_ns,
      case when r.end_ns - r.start_ns <= p.duration_ns then r.end_ns - p.start_ns - p.duration_ns else 0 end
    )) as skew_ms
  from requests as r
  inner join spans as s on r.trace_id = s.trace_id and r.request_span_id = s.span_id and r.start_ns = s.start_ns
  -- The parent may have started before the window did, but not by more than an hour.
  left join spans as p
    on s.trace_id = p.trace_id
      and s.parent_span_id = p.span_id
      and p.start_ns >= greatest($start_ns, -9000000000000000000) - 3600000000000
  left join resources as c on p.resource_id = c.resource_id
),

evidence as (
  select
    e.trace_id,
    e.service_name,
    e.weight > 1 as is_sampled,
    case when e.weight > 1 then e.weight end as sampled_weight,
    e.weight = 1 and has_attribute(
      e.attributes, '^(sampler\.(type|param)|SampleRate|sampling\.(rate|probability|priority)|(microsoft|_MS)\.sample_?[Rr]ate)$'
    ) as has_sampling_hint,
    e.is_orphan and e.entry_kind in ('job', 'call') as is_lost,
    e.is_orphan and e.entry_kind in ('server', 'consumer') as is_unseen,
    e.is_called and e.entry_kind = 'server' as is_called,
    -- JavaScript's clocks drift by some milliseconds within one machine.
    case when e.is_called and e.entry_kind = 'server' and e.skew_ms > 10 then e.skew_ms end as skew_ms,
    e.entry_kind = 'server' and e.http_route is not null as is_routed,
    e.entry_kind = 'server'
    and e.http_method is not null
    and e.http_method <> 'OPTIONS'
    and e.http_route is null
    and coalesce(e.http_status_code not in (301, 302, 308, 404, 405), true) as is_routeless,
    e.entry_kind = 'server' and (
      e.http_status_code = 429
      or has_attribute(e.attributes, '(?i)^http\.response\.header\.(x[-_])?rate[-_]?limit')
    ) as is_rate_limit,
    e.entry_kind = 'server' and (
      matches(e.asked_for, '(?i)(^|[?&])(_?fields|select|\$select|%24select|only|include_fields)(\[\w+\]|%5B\w+%5D)?=')
      or matches(e.http_route, '(?i)\bgraphql\b')
    ) as is_field_choice,
    false as is_timed_out,
    false as has_lifetime,
    false as is_endless,
    false as is_deletion
  from entries as e
  union all
  select
    c.trace_id,
    c.service_name,
    false as is_sampled,
    null as sampled_weight,
    false as has_sampling_hint,
    false as is_lost,
    false as is_unseen,
    false as is_called,
    null as skew_ms,
    false as is_routed,
    false as is_routeless,
    false as is_rate_limit,
    false as is_field_choice,
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
  where c.is_error or (c.family = 'cache' and not c.is_read)
)

select
  e.trace_id,
  e.service_name,
  sum(case when e.is_sampled then 1 else 0 end) as sampled,
  sum(cast(e.sampled_weight as decimal(18, 3))) as sampled_weight,
  sum(case when e.has_sampling_hint then 1 else 0 end) as sampling_hints,
  sum(case when e.is_lost then 1 else 0 end) as lost_parents,
  sum(case when e.is_unseen then 1 else 0 end) as unseen_callers,
  sum(case when e.is_called then 1 else 0 end) as called,
  count(e.skew_ms) as skewed,
  max(e.skew_ms) as skew_ms,
  sum(case when e.is_routed then 1 else 0 end) as routed,
  sum(case when e.is_routeless then 1 else 0 end) as routeless,
  sum(case when e.is_rate_limit then 1 else 0 end) as rate_limits,
  sum(case when e.is_field_choice then 1 else 0 end) as field_choices,
  sum(case when e.is_timed_out then 1 else 0 end) as timed_out,
  sum(case when e.has_lifetime then 1 else 0 end) as lifetimes,
  sum(case when e.is_endless then 1 else 0 end) as endless,
  sum(case when e.is_deletion then 1 else 0 end) as cache_deletions
from evidence as e
group by e.trace_id, e.service_name;
