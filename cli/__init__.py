"""The `berth` command: one file a command, and the mesh of processes that some of them start."""
