"""What the charts' values may be, as classes: `python -m charts.schema` writes each chart's values.schema.json."""
