"""The lab for a person: `python -m tests.lab up` starts a control plane and kube-scheduler in the background,
`python -m tests.lab down` ends them. Data, logs and the kubeconfig are below `.lab/run`."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.lab.build import CACHE
from tests.lab.by_hand import Lab, LabDownError


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="a Kubernetes control plane, by hand")
    parser.add_argument("--folder", type=Path, default=CACHE / "run", help="where everything is kept (%(default)s)")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, what in {"up": "start it in the background", "hold": "run it here, until SIGTERM"}.items():
        added = verbs.add_parser(verb, help=what)
        added.add_argument("--nodes", type=int, default=50, help="recorded nodes to make (%(default)s)")
    verbs.add_parser("down", help="end it and remove its data")
    asked = parser.parse_args()
    lab = Lab(asked.folder.absolute())
    try:
        print(lab.down() if asked.verb == "down" else getattr(lab, asked.verb)(asked.nodes))
    except LabDownError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
