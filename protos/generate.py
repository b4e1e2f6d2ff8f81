"""Regenerate the committed stubs: `python -m protos.generate [--check]`.

`--check` writes into a temporary folder and compares: exit 1 names each stub that differs.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import resources
from pathlib import Path

HERE = Path(__file__).parent
MESSAGES = (
    "protos/berth/v1/snapshot.proto",
    "protos/berth/v1/decision.proto",
    "protos/berth/v1/placement.proto",
    "protos/inference/inference.proto",
)
SERVICES = ("protos/berth/v1/placement.proto",)


def generate(out: Path) -> None:
    """Write the stubs of every proto below `out`, in the layout of the repository."""
    from grpc_tools import protoc

    well_known = str(resources.files("grpc_tools") / "_proto")
    includes = [f"-I{HERE.parent}", f"-I{well_known}"]
    outputs = [f"--python_out={out}", f"--pyi_out={out}"]
    code = protoc.main(["protoc", *includes, *outputs, *MESSAGES])
    code |= protoc.main(["protoc", *includes, f"--grpc_python_out={out}", *SERVICES])
    if code:
        raise SystemExit(f"protoc failed with {code}")


def stale(fresh: Path) -> list[str]:
    """Names of stubs that differ from those below `fresh`, either way round."""
    committed = {p.relative_to(HERE.parent): p.read_bytes() for p in HERE.rglob("*_pb2*.py*") if p.suffix != ".pyc"}
    made = {p.relative_to(fresh): p.read_bytes() for p in fresh.rglob("*_pb2*.py*")}
    return sorted(str(name) for name in committed.keys() | made.keys() if committed.get(name) != made.get(name))


def main(arguments: list[str]) -> int:
    """Entry point; see the module."""
    if "--check" not in arguments:
        generate(HERE.parent)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        different = stale(Path(folder))
    for name in different:
        print(f"{name}: run `python -m protos.generate` and commit the result", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
