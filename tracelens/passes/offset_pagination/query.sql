-- One row per request and query shape that skipped many rows.
with pages as (
  select
    p.*,
    -- What a page near the start takes is what every page takes with a cursor.
    coalesce(
      min(case when p.offset_rows < $min_offset_rows then p.duration_ms end) over (partition by p.service_name, p.shape),
      $first_page_ms
    ) as first_page_ms
  from paged_reads as p
)

select
  p.service_name,
  p.endpoint,
  p.shape as subject,
  p.trace_id,
  p.request_span_id,
  ordered_list(p.span_id, p.start_ns) as offender_span_ids,
  sum(greatest(0, p.duration_ms - p.first_page_ms)) as avoidable_ms,
  case when max(p.known_by <> 'url') then 'certain' else 'likely' end as confidence,
  case
    when max(p.duration_ms) >= $critical_above_ms then 'critical'
    when max(p.duration_ms) >= $warning_above_ms then 'warning'
    else 'info'
  end as severity,
  max(p.offset_rows) as offset_rows,
  max(p.duration_ms) as page_ms,
  min(p.first_page_ms) as first_page_ms,
  min(p.known_by) as known_by
from pages as p
where p.offset_rows >= $min_offset_rows
group by p.service_name, p.endpoint, p.shape, p.trace_id, p.request_span_id
order by avoidable_ms desc, p.trace_id asc, p.request_span_id asc, subject asc
