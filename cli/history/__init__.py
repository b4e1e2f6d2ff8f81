"""`berth history`: what is kept of the past, filled and judged."""
