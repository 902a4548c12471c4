-- The migration that comes with version 2 of the applications.
create index on shipments (tracking_code, created_at);
create index on events (reference);
create index on events (created_at);
insert into revenue_by_category
select p.category, sum(e.amount) from events e join products p on p.id = 1 + e.id % 3000 group by p.category;
analyze;
