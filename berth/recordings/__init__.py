"""Recorded machines and workloads that the project ships, cut by `cut.py`; sources in `README.md`."""
