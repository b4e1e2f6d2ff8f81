"""Charts, with real helm: rendered, judged, installed into the lab's API server."""
