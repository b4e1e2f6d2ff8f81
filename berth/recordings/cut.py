"""Cut the shipped recordings from the published ones: `python -m berth.recordings.cut SOURCE`.

SOURCE holds the published files as `README.md` beside this module lists them. What is cut:

* bitbrains: 70 machines on a common 5-minute grid, July to September 2013; CPU and memory as a
  share of what was provisioned, disk and network as log1p of KB/s (read + write, in + out).
* bitbrains week: the same machines from 5 to 11 August, as recorded: neither rounded nor in logarithms.
* asd, smd: labelled server metrics in [0, 1]; smd averaged to 5 minutes.
* openb: nodes and pod lists, unchanged but for the columns that Berth does not use.

Missing samples stay missing (65535 or 255): a failed reading is not a zero.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np

STEP_S = 300
MISSING_16 = 65535
MISSING_8 = 255
SHARE_SCALE = 2000
"""Steps of 0.05 % of what was provisioned."""
MEMORY_SCALE = 1500
"""Steps of 0.07 %: a file stays under 2 MB."""
LOG_SCALE = 20
"""log1p of KB/s in steps of 0.05: 5 % of the rate."""

WEEK_FROM = 1_375_660_800
"""5 August 2013: a week without the recording's own outages."""
WEEK_STEPS = 7 * 288

HERE = Path(__file__).parent


def quantise_16(values: Any, scale: int) -> Any:
    """uint16 codes of `values * scale`; NaN becomes MISSING_16."""
    return np.where(np.isnan(values), MISSING_16, np.clip(np.round(values * scale), 0, MISSING_16 - 1)).astype(
        np.uint16
    )


def cut_bitbrains(source: Path) -> None:
    """Write one npz a metric: `values` uint16 [machine, step], `machine`, `start` (unix s)."""
    import pandas as pd

    frame = pd.concat([pd.read_parquet(path) for path in sorted(source.glob("vm_5min_*.parquet"))])
    clock = frame["Timestamp [ms]"].to_numpy()  # seconds, whatever the name says
    start = int(clock.min() // STEP_S * STEP_S)
    slot = np.round((clock - start) / STEP_S).astype(int)
    machines, row = np.unique(frame["vm"].to_numpy(), return_inverse=True)
    memory = frame["Memory usage [KB]"] / frame["Memory capacity provisioned [KB]"]
    disk = frame["Disk read throughput [KB/s]"] + frame["Disk write throughput [KB/s]"]
    network = frame["Network received throughput [KB/s]"] + frame["Network transmitted throughput [KB/s]"]
    metrics = {
        "cpu": (frame["CPU usage [MHZ]"] / frame["CPU capacity provisioned [MHZ]"], SHARE_SCALE),
        "memory": (memory.where(memory > 0), MEMORY_SCALE),  # exactly 0 is a failed reading
        "disk": (np.log1p(disk), LOG_SCALE),
        "network": (np.log1p(network), LOG_SCALE),
    }
    for name, (series, scale) in metrics.items():
        grid = np.full((len(machines), slot.max() + 1), np.nan)
        grid[row, slot] = series.to_numpy()
        np.savez_compressed(
            HERE / "bitbrains" / f"{name}.npz",
            values=quantise_16(grid, scale),
            machine=machines.astype(np.int16),
            start=np.int64(start),
            scale=np.int64(scale),
        )
    raw = (metrics["cpu"][0], metrics["memory"][0], disk, network)
    week = np.full((len(raw), len(machines), WEEK_STEPS), np.nan, dtype=np.float32)
    inside = (slot >= (first := (WEEK_FROM - start) // STEP_S)) & (slot < first + WEEK_STEPS)
    for plane, series in enumerate(raw):
        week[plane, row[inside], slot[inside] - first] = series.to_numpy()[inside]
    np.savez_compressed(
        HERE / "bitbrains" / "week.npz", values=week, machine=machines.astype(np.int16), start=np.int64(WEEK_FROM)
    )


def cut_asd(source: Path) -> None:
    """Write `asd.npz`: for each server `values` uint8 [step, metric] (steps of 0.01), `labels`."""
    import pandas as pd

    frame = pd.read_parquet(source / "asd.parquet")
    columns = [name for name in frame.columns if name.startswith("metric_")]
    arrays: dict[str, Any] = {}
    for entity, rows in frame.groupby("entity"):
        rows = rows.sort_values("step_5min")
        arrays[f"{entity}/values"] = np.round(rows[columns].to_numpy() * 100).astype(np.uint8)
        arrays[f"{entity}/labels"] = labels(rows["label"].to_numpy())
    np.savez_compressed(HERE / "asd" / "asd.npz", **arrays)


def cut_smd(source: Path) -> None:
    """Write `smd.npz`: 5-minute means, uint8 (steps of 1/250), a label if any of its minutes has one."""
    import pandas as pd

    arrays: dict[str, Any] = {}
    for path in sorted(source.glob("machine-*.parquet")):
        frame = pd.read_parquet(path)
        names = [n for n in frame.columns if n not in ("minute", "split", "label")]
        values, label = [], []
        for split in ("train", "test"):
            part = frame[frame["split"] == split]
            whole = len(part) // 5 * 5
            values.append(part[names].to_numpy()[:whole].reshape(-1, 5, len(names)).mean(axis=1))
            label.append(labels(part["label"].to_numpy())[:whole].reshape(-1, 5).max(axis=1))
        arrays[f"{path.stem}/values"] = np.round(np.concatenate(values) * 250).astype(np.uint8)
        arrays[f"{path.stem}/labels"] = np.concatenate(label)
    arrays["metrics"] = np.array(names)
    np.savez_compressed(HERE / "smd" / "smd.npz", **arrays)


def labels(column: Any) -> Any:
    """int8 labels: 0 normal, 1 anomalous, -1 unlabelled (the training half)."""
    as_float = np.asarray(column, dtype=np.float64)
    return np.where(np.isnan(as_float), -1, as_float).astype(np.int8)


def cut_openb(source: Path) -> None:
    """Copy the node list and the default, cpu050, gpushare40 and gpuspec20 pod lists, gzipped."""
    nodes = (source / "openb_node_list_all_node.csv").read_bytes()
    write_gzip(HERE / "openb" / "nodes.csv.gz", nodes)
    for mix in ("default", "cpu050", "gpushare40", "gpuspec20"):
        raw = gzip.decompress((source / f"openb_pod_list_{mix}.csv.gz").read_bytes())
        write_gzip(HERE / "openb" / f"pods-{mix}.csv.gz", raw)


def write_gzip(path: Path, raw: bytes) -> None:
    """gzip without a time stamp, so that the same source gives the same bytes."""
    path.write_bytes(gzip.compress(raw, 9, mtime=0))


def main(source: Path) -> None:
    """Cut every set into its folder beside this module."""
    for name in ("bitbrains", "asd", "smd", "openb"):
        (HERE / name).mkdir(exist_ok=True)
    cut_bitbrains(source / "bitbrains-rnd")
    cut_asd(source / "asd")
    cut_smd(source / "smd")
    cut_openb(source / "openb-gpu-v2023")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
