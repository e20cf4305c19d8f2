#!/usr/bin/env python3
"""Draws what `soak` has written: soak_plot.py soak.csv soak.png. Needs matplotlib.

The dashed lines and the figures beside them are least-squares slopes over the last three quarters.
"""

import csv
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def slope(x, y):
    """Change of y an hour, and the value of the fitted line at each x."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - mean_x) ** 2 for a in x)
    rise = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / spread
    return rise * 60, [mean_y + rise * (a - mean_x) for a in x]


def main():
    source, target = sys.argv[1:]
    with open(source, newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    minutes = [row["seconds"] / 60 for row in rows]
    panels = [
        ("resident memory", "MiB", [("resident", [row["rss_kib"] / 1024 for row in rows])]),
        ("descriptors and threads", "count",
         [(name, [row[name] for row in rows]) for name in ("descriptors", "threads")]),
        ("snapshots", "files", [("files", [row["files"] for row in rows])]),
        ("snapshots", "MB", [("bytes", [row["bytes"] / 1e6 for row in rows])]),
        ("rows of events_clean", "rows/s", [("rows", [row["rows"] / 10 for row in rows])]),
        ("event to committed row", "ms",
         [(name, [row[f"{name}_ms"] for row in rows]) for name in ("p50", "p99")]),
    ]
    figure, axes = plt.subplots(3, 2, figsize=(12, 9), sharex=True)
    start = len(minutes) // 4
    for axis, (title, unit, lines) in zip(axes.flat, panels):
        for name, values in lines:
            change, fitted = slope(minutes[start:], values[start:])
            line, = axis.plot(minutes, values, linewidth=1, label=f"{name}: {change:+.2f} {unit}/h")
            axis.plot(minutes[start:], fitted, "--", linewidth=1, color=line.get_color())
            print(f"{title}, {name}: {change:+.3f} {unit}/h, "
                  f"least {min(values[start:]):.1f}, greatest {max(values[start:]):.1f}")
        axis.set_title(title)
        axis.set_ylabel(unit)
        axis.set_ylim(bottom=0)
        axis.legend(loc="lower right", fontsize=8)
        axis.grid(alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main()
