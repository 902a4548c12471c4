-- A summary span stands for many that a processor folded into it; null for a span that stands for itself.
--
-- folded_spans       how many
-- folded_ns          the sum of their durations, where it is told; the summary's own lasts from the first to the last of them
-- folded_longest_ns  the longest of them, where it is told

alter table spans add column folded_spans integer;
alter table spans add column folded_ns bigint;
alter table spans add column folded_longest_ns bigint;
