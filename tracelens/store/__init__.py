"""The DuckDB store, its schema and its model. Nothing outside this package imports duckdb."""
