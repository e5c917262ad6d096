"""Filters: which items may be found, as conditions answered by DuckDB."""
