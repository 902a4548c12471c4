-- As with the evidence.
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
