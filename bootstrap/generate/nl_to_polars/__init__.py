"""`nl_to_polars`: questions about CSV files and lazy Polars code that answers them, proved against DuckDB."""
