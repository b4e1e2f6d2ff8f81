"""A real cluster as a source: its API server and its Prometheus."""
