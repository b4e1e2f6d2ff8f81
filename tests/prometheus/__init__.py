"""A real Prometheus, and exporters for it to scrape."""
