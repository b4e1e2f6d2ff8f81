"""Berth's vocabulary: clusters, features, recordings, simulation, decisions.

Everything here is a function of data. It imports none of the rooms above (`extender`, `services`,
`cli`, `benchmarks`) and no web, RPC, cache or Kubernetes client.
"""

__version__ = "0.1.0"
