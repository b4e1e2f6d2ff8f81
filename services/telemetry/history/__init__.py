"""What was: usage, and later kinds of rows, as Parquet by day."""
