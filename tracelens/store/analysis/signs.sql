-- The other half of what coverage.sql counts: what each service's calls, answers and traces show of single things.
with services as (
  select distinct n.service_name
  from trace_services as n
),

pages_of as (
  select
    p.service_name,
    -- Some mappers write OFFSET into every query.
    sum(case when coalesce(p.offset_rows, 1) > 0 then 1 else 0 end) as offset_calls,
    sum(case when p.offset_rows > 0 then 1 else 0 end) as known_offsets,
    max(p.offset_rows) as deepest_offset
  from paged_reads as p
  group by p.service_name
),

responses_of as (
  select
    r.service_name,
    sum(r.response_headers) as response_headers,
    sum(r.response_sizes) as response_sizes,
    sum(r.answered_reads) as answered_reads,
    sum(r.cache_headers) as cache_headers,
    sum(r.compressed) as compressed,
    sum(r.large_bodies) as large_bodies
  from response_counts as r
  group by r.service_name
),

openings_of as (
  select
    o.service_name,
    count(*) as openings
  from openings as o
  group by o.service_name
),

evidence_of as (
  select
    e.service_name,
    sum(e.sampled) as sampled,
    sum(e.sampled_weight) / greatest(sum(e.sampled), 1) as mean_weight,
    sum(e.sampling_hints) as sampling_hints,
    sum(e.lost_parents) as lost_parents,
    sum(e.unseen_callers) as unseen_callers,
    sum(e.called) as called,
    sum(e.skewed) as skewed,
    max(e.skew_ms) as skew_ms,
    sum(e.routed + e.routeless) as http_requests,
    sum(e.routeless) as routeless,
    sum(e.rate_limits) as rate_limits,
    sum(e.field_choices) as field_choices,
    sum(e.timed_out) as timed_out,
    sum(e.lifetimes) as lifetimes,
    sum(e.endless) as endless,
    sum(e.cache_deletions) as cache_deletions
  from trace_evidence as e
  group by e.service_name
)

select
  s.service_name,
  p.* exclude (service_name),
  a.* exclude (service_name),
  o.* exclude (service_name),
  e.* exclude (service_name)
from services as s
left join pages_of as p on s.service_name = p.service_name
left join responses_of as a on s.service_name = a.service_name
left join openings_of as o on s.service_name = o.service_name
left join evidence_of as e on s.service_name = e.service_name
order by s.service_name
