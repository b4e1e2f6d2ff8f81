"""Measurements: one question a file, results with the machine's description beside them in `results/`.

`latency`: how long kube-scheduler waits for an answer. `table`: README's tables from `results/`.
"""
