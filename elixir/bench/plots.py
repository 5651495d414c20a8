"""Draw the sweeps of a benchmark: `plots.py FILE FOLDER` makes one SVG per sweep from the JSON that `make bench` writes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
# The same figures give the same file; text stays text.
matplotlib.rcParams.update({"svg.hashsalt": "portpool", "svg.fonttype": "none", "font.size": 9})

from matplotlib import pyplot  # noqa: E402  The backend must be chosen first.

#: The figures to draw, with the label of their axis.
FIGURES = (("calls_per_second", "calls/s"), ("cpu_us", "CPU time per call, µs"))
COLOURS = ("#7a3fa0", "#c08a2d")


def main(report: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for row in json.loads(report.read_text())["rows"]:
        if row["axis"]:
            draw(row, folder / f"{row['id']}.svg")


def draw(row: dict[str, Any], path: Path) -> None:
    figure, axes = pyplot.subplots(1, len(FIGURES), figsize=(9, 3), layout="constrained")
    figure.suptitle(row["title"].replace("`", ""))
    for axis, (name, label) in zip(axes, FIGURES):
        for colour, (system, points) in zip(COLOURS, lines(row["systems"], name).items()):
            axis.plot(*zip(*points), marker="o", markersize=3, color=colour, label=system)
        scale(axis, row)
        axis.set_ylabel(label)
    axes[0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def lines(systems: Iterable[dict[str, Any]], name: str) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each measured system."""
    found: dict[str, list[tuple[float, float]]] = {}
    for system in systems:
        if system.get("figures"):
            found.setdefault(system["name"], []).append((system["x"], system["figures"][name]))
    return found


def scale(axis: Any, row: dict[str, Any]) -> None:
    points = sorted({system["x"] for system in row["systems"]})
    payload = row["axis"] == "bytes"
    axis.set_xscale("log", base=2)
    axis.set_xticks(points, [size(point) if payload else str(point) for point in points])
    axis.minorticks_off()
    axis.set_xlabel("payload" if payload else row["axis"])
    # Payloads and their figures span seven orders of magnitude.
    if payload:
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)


def size(count: int) -> str:
    for unit, name in ((10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count // unit} {name}"
    return f"{count} B"


main(Path(sys.argv[1]), Path(sys.argv[2]))
