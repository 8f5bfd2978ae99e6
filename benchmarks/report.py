"""What was measured, and how it is printed."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    what: str
    result: str
    how: str
    """How often, and under which conditions."""


def milliseconds(seconds: Sequence[float], *percents: int) -> str:
    """Percentiles, by name: `p50 3.1 ms  p99 9.9 ms`."""
    return "  ".join(f"p{p} {percentile(seconds, p) * 1000:,.1f} ms" for p in percents)


def percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def show(rows: Sequence[Row], seconds: float) -> None:
    cores = os.cpu_count()
    table = Table(title=f"Journeyman on {cores} cores, Python {platform.python_version()}, SQLite")
    table.add_column("measured")
    table.add_column("result", justify="right", style="bold")
    table.add_column("how", style="dim")
    for row in rows:
        table.add_row(row.what, row.result, row.how)
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print(f"took {seconds:.0f} s, load {os.getloadavg()[0]:.1f}", style="dim")
