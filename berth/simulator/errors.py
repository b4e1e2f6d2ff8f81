"""What a replayed cluster refuses.

SimulatorError
├── PodDoesNotFitError    bind: the node lacks what the pod asks for
├── AlreadyBoundError     bind: a pod of this uid runs already
├── UnknownPodError       release: no pod of this uid runs
└── UnknownNodeError      no node of this name or row
"""

from __future__ import annotations


class SimulatorError(ValueError):
    """Base of this package's errors; messages are fit for users."""


class PodDoesNotFitError(SimulatorError):
    """The node lacks CPU, memory, a pod slot or devices."""


class AlreadyBoundError(SimulatorError):
    """A pod of this uid runs already."""


class UnknownPodError(SimulatorError):
    """No pod of this uid runs."""


class UnknownNodeError(SimulatorError):
    """No node of this name or row."""
