"""`berth demo`: a recorded cluster, recorded pods, a client that does what kube-scheduler does, and two faults."""
