"""Decision records: what was decided for a pod, and why, in a form to store, join and read."""
