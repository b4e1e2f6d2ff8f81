"""`berth demo`: the whole mesh on recorded input, measured, broken and still answering."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from cli.demo.figures import Phase
    from cli.demo.run import Run
    from cli.supervisor import Mesh

Pods = Annotated[int, typer.Option(help="pods of the openb trace before the first fault", min=20, max=5000)]
Nodes = Annotated[int, typer.Option(help="replayed nodes; 1523 is the whole trace", min=10, max=20000)]
Seed = Annotated[int, typer.Option(help="of the replayed cluster", min=0)]
Json = Annotated[Path | None, typer.Option("--json", help="write the figures there", dir_okay=False, metavar="FILE")]
DataDir = Annotated[Path, typer.Option(help="logs and decision records go here")]
Url = Annotated[str | None, typer.Option(help="an extender that runs already: nothing is started, nothing broken")]
Telemetry = Annotated[str | None, typer.Option(help="its telemetry, in replay (default: port 8084)")]


def demo(
    pods: Pods = 500,
    nodes: Nodes = 1523,
    seed: Seed = 1,
    json: Json = None,
    data_dir: DataDir = Path(".berth/demo"),
    url: Url = None,
    telemetry: Telemetry = None,
) -> None:
    """Start everything on recorded nodes, send recorded pods as kube-scheduler does, then break it.

    Each pod is filtered and prioritized among a sample of feasible nodes and bound to its best node in the replayed
    cluster. Then the placement scorer is killed, and later Redis, while pods go on. Exit code 1 where a call was not
    answered or not with status 200. Free ports are used: it can run beside `berth up`.

    With --url the pods go to a mesh that runs already, as it is: in containers, say. They are released at the end.

    Examples:

      berth demo

      berth demo --pods 100 --nodes 300

      berth demo --json demo.json && berth explain openb-pod-0007

      berth demo --url http://127.0.0.1:8888 --telemetry http://127.0.0.1:8084
    """
    from cli.console import console

    out = console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if url:
        from cli.demo.elsewhere import perform_at

        ok = perform_at(out, url, telemetry, pods, json)
    else:
        ok = perform(out, pods, nodes, seed, json, data_dir)
    raise typer.Exit(0 if ok else 1)


def perform(out: Console, pods: int, nodes: int, seed: int, json: Path | None, data_dir: Path) -> bool:
    """The demo from start to end; whether every call was answered with status 200."""
    from cli.demo import tables
    from cli.demo.run import Run
    from cli.supervisor import Mesh

    out.rule("Berth: six processes on recorded nodes and pods")
    mesh = Mesh(auto_ports=True, data_dir=data_dir, nodes=nodes, seed=seed, restart=False)
    try:
        begin(mesh, out)
        run = Run.of(mesh.url(), mesh.url("telemetry"), out)
        healthy = run.phase("all healthy", pods)
        tables.show_healthy(out, healthy, run.scheduler.counts)
        phases = [healthy, *break_it(mesh, run, max(20, pods // 5))]
    finally:
        mesh.close()
    return conclude(out, phases, run, json)


def begin(mesh: Mesh, out: Console) -> None:
    """Starts the mesh; a line for each process as it gets ready."""
    started = time.monotonic()
    waiting = dict.fromkeys(mesh.processes)

    def tell(missing: list[str]) -> None:
        for name in [name for name in waiting if name not in missing]:
            del waiting[name]
            out.print(f"  {name:<17} ready after {time.monotonic() - started:4.1f} s   {address(mesh, name)}")

    mesh.start()
    mesh.wait_ready(tell=tell)
    out.print(f"  the mesh is ready after {time.monotonic() - started:.1f} s: a snapshot is in use, all models known")


def address(mesh: Mesh, name: str) -> str:
    """Where a process listens, in short."""
    process = mesh.processes[name]
    spoken = (("HTTP", process.http), ("gRPC", process.grpc), ("Redis protocol", process.redis))
    return ", ".join(f"{what} {process.host}:{port}" for what, port in spoken if port)


def break_it(mesh: Mesh, run: Run, pods: int) -> list[Phase]:
    """Two faults, and pods under each."""
    mesh.kill("placement-scorer")
    first = run.phase("placement scorer killed", pods)
    if "valkey" not in mesh.processes:
        return [first]
    mesh.kill("valkey")
    return [first, run.phase("and Redis killed", pods)]


def conclude(out: Console, phases: list[Phase], run: Run, json: Path | None) -> bool:
    """Last tables, the file of figures, and the verdict."""
    from json import dumps

    from cli.demo import tables
    from cli.demo.figures import summary

    counts = run.scheduler.counts
    found = summary(phases, counts)
    if len(phases) > 1:
        tables.show_faults(out, phases)
    if json is not None:
        json.write_text(dumps(found, indent=1) + "\n", "utf-8")
        out.print(f"figures in {json}")
    tables.show_verdict(out, found, counts)
    return not counts.unanswered and not counts.non_200
