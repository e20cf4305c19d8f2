#!/usr/bin/env python3
"""Draws what `soak` has written: soak_plot.py soak.csv soak.png. Needs matplotlib.

The dashed lines and the figures beside them are least-squares slopes over the last three quarters,
with their standard errors. They go through means of three minutes, in which four generations of
windows close and three snapshots are written, so that both rhythms fall out.
"""

import csv
import math
import statistics
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


SAMPLES_PER_MEAN = 18


def means(values):
    """The mean of each three minutes; what is left at the end is not looked at."""
    whole = len(values) - len(values) % SAMPLES_PER_MEAN
    return [statistics.fmean(values[at:at + SAMPLES_PER_MEAN])
            for at in range(0, whole, SAMPLES_PER_MEAN)]


def slope(x, y):
    """Change of y an hour, its standard error, and the value of the fitted line at each x."""
    mean_xs, mean_ys = means(x), means(y)
    if len(mean_xs) < 3:
        sys.exit("fewer than twelve minutes of samples: no slope")
    rise, start = statistics.linear_regression(mean_xs, mean_ys)
    spread = sum((a - statistics.fmean(mean_xs)) ** 2 for a in mean_xs)
    rest = sum((b - start - rise * a) ** 2 for a, b in zip(mean_xs, mean_ys))
    error = math.sqrt(rest / (len(mean_xs) - 2) / spread)
    return rise * 60, error * 60, [start + rise * a for a in x]


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
            change, error, fitted = slope(minutes[start:], values[start:])
            label = f"{name}: {change:+.2f} ± {error:.2f} {unit}/h"
            line, = axis.plot(minutes, values, linewidth=1, label=label)
            axis.plot(minutes[start:], fitted, "--", linewidth=1, color=line.get_color())
            print(f"{title}, {name}: {change:+.3f} ± {error:.3f} {unit}/h, "
                  f"least {min(values[start:]):.1f}, greatest {max(values[start:]):.1f}")
        axis.set_title(title)
        axis.set_ylabel(unit)
        axis.set_ylim(bottom=0)
        axis.legend(loc="best", fontsize=8)
        axis.grid(alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main()
