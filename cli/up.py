"""`berth up`: all processes under one supervisor."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from cli.child import Echo
    from cli.supervisor import Mesh

Config = Annotated[Path | None, typer.Option(help="settings file; see `berth config`", exists=True, dir_okay=False)]
DataDir = Annotated[Path, typer.Option(help="logs, decision records and mesh.json go here")]
Nodes = Annotated[int | None, typer.Option(help="replayed nodes (default 1523)", min=1, max=20000)]
Interval = Annotated[float | None, typer.Option(help="seconds between snapshots (default 15)", min=0.05, max=600.0)]
Seed = Annotated[int | None, typer.Option(help="of the replayed cluster (default 1)", min=0)]
Kubeconfig = Annotated[
    Path | None, typer.Option(help="a real cluster instead of recorded nodes", exists=True, dir_okay=False)
]
PrometheusUrl = Annotated[str | None, typer.Option(help="what tells the real cluster's usage", metavar="URL")]
Redis = Annotated[str | None, typer.Option(help="an existing Redis; without it an embedded Valkey is started")]
PortChoice = Annotated[
    str, typer.Option("--ports", help="'settings' or 'auto' (free loopback ports)", metavar="CHOICE")
]
Restart = Annotated[bool, typer.Option(help="start again what ends or hangs; without, the first that ends ends all")]

COLOURS = {
    "extender": "cyan", "telemetry": "green", "load-predictor": "blue", "placement-scorer": "magenta",
    "anomaly-detector": "yellow", "valkey": "red",
}  # fmt: skip


def up(
    config: Config = None,
    nodes: Nodes = None,
    interval: Interval = None,
    seed: Seed = None,
    kubeconfig: Kubeconfig = None,
    prometheus: PrometheusUrl = None,
    redis_url: Redis = None,
    ports: PortChoice = "settings",
    data_dir: DataDir = Path(".berth"),
    restart: Restart = True,
) -> None:
    """Start the extender, the three models, telemetry and Valkey, and keep them running.

    The nodes and their load are recorded: no cluster is needed. With --kubeconfig they are those of a real cluster,
    which is only read, and the extender is in shadow mode unless the settings say otherwise.

    It is ready when every process is; one that dies is started again, and one that answers nothing for 8 s is ended
    first. `.berth/mesh.json` says where each process listens. Ctrl-C ends all.

    Examples:

      berth up

      berth up --nodes 200 --interval 5 --ports auto

      berth up --config berth.yaml --redis-url redis://127.0.0.1:6379/0

      berth up --no-restart

      berth up --kubeconfig ~/.kube/config --prometheus http://127.0.0.1:9090
    """
    from cli.console import console
    from cli.supervisor import Mesh

    if ports not in ("settings", "auto"):
        raise typer.BadParameter("'settings' or 'auto'", param_hint="--ports")
    if prometheus and not kubeconfig:
        raise typer.BadParameter("tells of a real cluster: give --kubeconfig too", param_hint="--prometheus")
    out = console()
    mesh = Mesh(
        config=config, data_dir=data_dir, auto_ports=ports == "auto", redis_url=redis_url, nodes=nodes,
        interval_s=interval, seed=seed, kubeconfig=kubeconfig, prometheus=prometheus, restart=restart,
        echo=printer(out),
    )  # fmt: skip
    end = threading.Event()

    def stop(number: int, frame: object) -> None:
        end.set()
        mesh.closing.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    run(mesh, end, out)


def run(mesh: Mesh, end: threading.Event, out: Console) -> None:
    """Start, wait, show, wait for the end. Raises CliError."""
    from cli.errors import MeshError

    started = time.monotonic()
    try:
        mesh.start()
        mesh.wait_ready()
        show(mesh, out, time.monotonic() - started)
        while not end.wait(0.5):
            mesh.check_refusals()
    except MeshError:
        if not end.is_set():
            raise
    finally:
        mesh.close()
        out.print("all processes have ended")


def printer(out: Console) -> Echo:
    """Prints a line with its process's name in front."""
    from rich.text import Text

    def echo(name: str, line: str) -> None:
        out.print(Text.assemble((f"{name:>16} ", COLOURS.get(name, "")), ("│ ", "dim"), line), soft_wrap=True)

    return echo


def show(mesh: Mesh, out: Console, took_s: float) -> None:
    """Where everything is."""
    from rich.table import Table

    table = Table(title=f"ready after {took_s:.1f} s", title_justify="left")
    for column in ("process", "pid", "HTTP", "gRPC"):
        table.add_column(column, justify="right" if column == "pid" else "left")
    for name, process in mesh.processes.items():
        http = process.url if process.http else ""
        grpc = f"{process.host}:{process.grpc}" if process.grpc else ""
        table.add_row(name, str(mesh.pid(name)), http, grpc)
    out.print(table)
    shared = mesh.redis_url.rpartition("@")[2]  # without a password
    out.print(f"Redis: {shared}    files: {mesh.data_dir}/    Ctrl-C ends all")
    out.print(f"kube-scheduler: urlPrefix {mesh.url()}/scheduler, filterVerb filter, prioritizeVerb prioritize")
