-- What makes a view like the store's `spans`, but of the reader's own `span_rows`.
select replace(v.sql, 'CREATE VIEW', 'create temp view') as statement
from duckdb_views() as v
where v.view_name = 'spans' and not v.temporary
