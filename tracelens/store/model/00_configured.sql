-- What the model knows from data files and the configuration, as rows; each list is one column.

create or replace temp table span_roles as
select
  unnest($roles::varchar[]) as role,
  unnest($role_patterns::varchar[]) as pattern;

create or replace temp table orm_scopes as
select unnest($orm_patterns::varchar[]) as pattern;

create or replace temp table objectives as
select
  unnest($objective_services::varchar[]) as service_pattern,
  unnest($objective_endpoints::varchar[]) as endpoint_pattern,
  unnest($objectives_ms::double[]) as objective_ms;
