"""Filters: declared in `filter`, translated to SQL in `apply`, evaluated by DuckDB."""
