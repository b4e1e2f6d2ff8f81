"""What the command line says no to.

CliError                exit code 1
├── MeshError           the mesh does not start or does not get ready
│   └── RefusedError    exit code 2: a process refuses its settings or its artifact
├── UnreachableError    no answer from an extender or Redis
└── MissingExtraError   a command needs an extra that is not installed
"""

from __future__ import annotations


class CliError(Exception):
    """Base of this package's errors; messages are written for users. exit_code is the process's."""

    exit_code = 1


class MeshError(CliError):
    """A process of the mesh does not start, or the mesh is not ready in time."""


class RefusedError(MeshError):
    """A process of the mesh has refused its settings or its artifact: it exits with 2, and so do we."""

    exit_code = 2


class UnreachableError(CliError):
    """Nothing answers at the given address."""


class MissingExtraError(CliError):
    """An import failed because an extra is not installed."""
