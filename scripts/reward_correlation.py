#!/usr/bin/env python3
"""Measures how well the scores that searches give with shared weights order architectures trained from scratch.

    python scripts/reward_correlation.py --shards models/table/shards RUN...
    python scripts/reward_correlation.py --check

RUN is the directory of a search, SHARDS the folder of the table of trainings from scratch (`autogan table make`). For
each run and each iteration of its stage 0 it takes the children of the controller, and prints Spearman's rank
correlation of their scores with minus the logarithm of the Fréchet distance from scratch, averaged over the table's
seeds. A child that came more than once counts with its mean score. A random search with 18 steps of 2 children scores
all 36 one-cell architectures in each iteration:

    autogan search --set controller.policy=uniform --set controller.steps=18 ...

The last line holds the mean over runs of the last iteration, with the standard deviation over runs. `--check` tests the
script's own arithmetic.
"""

import argparse
import collections
import csv
import math
import pathlib
import sqlite3
import statistics
import sys


def ranks(values):
    """The ranks from 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found, first = [0.0] * len(values), 0
    while first < len(order):
        end = first
        while end < len(order) and values[order[end]] == values[order[first]]:
            end += 1
        for place in order[first:end]:
            found[place] = (first + 1 + end) / 2
        first = end
    return found


def spearman(pairs):
    """The rank correlation, or None where one side does not vary."""
    x, y = (ranks(side) for side in zip(*pairs))
    middle = (len(pairs) + 1) / 2
    xy = sum((a - middle) * (b - middle) for a, b in zip(x, y))
    xx, yy = (sum((a - middle) ** 2 for a in side) for side in (x, y))
    return xy / math.sqrt(xx * yy) if xx * yy > 0 else None


def from_scratch(folder, iterations):
    """−ln F of every one-cell architecture, averaged over seeds, and how many seeds it has."""
    logs = collections.defaultdict(list)
    for path in sorted(pathlib.Path(folder).glob("cells1-*.csv")):
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                if int(row["iterations"]) == iterations and row["frechet"]:
                    logs[row["arch"]].append(-math.log(float(row["frechet"])))
    if not logs:
        sys.exit(f"expected files cells1-*.csv with rows of {iterations} iterations in {folder}, found none")
    return {arch: statistics.fmean(values) for arch, values in logs.items()}, {len(v) for v in logs.values()}


def trials(run):
    """The mean score of each child of stage 0, by iteration."""
    path = pathlib.Path(run) / "run.sqlite"
    if not path.exists():
        sys.exit(f"expected the directory of a search, found no {path}")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    rows = connection.execute(
        "SELECT iteration, arch, score FROM trials WHERE kind = 'controller' AND stage = 0 ORDER BY id"
    )
    scores = collections.defaultdict(lambda: collections.defaultdict(list))
    for iteration, arch, score in rows:
        scores[iteration][arch].append(score)
    return {i: {a: statistics.fmean(s) for a, s in archs.items()} for i, archs in scores.items()}


def check():
    assert ranks([3.0, 1.0, 3.0, 2.0]) == [3.5, 1.0, 3.5, 2.0]
    assert spearman([(1, 10), (2, 20), (3, 30)]) == 1 and spearman([(1, 3), (2, 2), (3, 1)]) == -1
    # Without ties it is 1 − 6 · Σd² / (n³ − n), here with Σd² = 4 and n = 5.
    assert abs(spearman([(1, 2), (2, 1), (3, 4), (4, 3), (5, 5)]) - 0.8) < 1e-12
    assert spearman([(1, 5), (2, 5)]) is None
    print("the arithmetic is right")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="RUN")
    parser.add_argument("--shards", default="models/table/shards")
    parser.add_argument("--iterations", type=int, default=300, help="length of the trainings from scratch")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if args.check:
        return check()
    if not args.runs:
        parser.error("expected at least one RUN")
    truth, seeds = from_scratch(args.shards, args.iterations)
    few, many = min(seeds), max(seeds)
    print(f"{len(truth)} architectures from scratch, {few if few == many else f'{few} to {many}'} seeds for each")
    last = []
    for run in args.runs:
        rho = None
        for iteration, scores in sorted(trials(run).items()):
            pairs = [(score, truth[arch]) for arch, score in scores.items() if arch in truth]
            rho = spearman(pairs) if len(pairs) > 2 else None
            shown = "–" if rho is None else f"{rho:.3f}"
            print(f"{run}\titeration {iteration + 1}\t{len(pairs)} architectures\t{shown}")
        if rho is None:
            sys.exit(f"{run}: expected three or more children of stage 0 in its last iteration, found fewer")
        last.append(rho)
    spread = f", SD {statistics.stdev(last):.3f}" if len(last) > 1 else ""
    print(f"mean of the last iterations of {len(last)} runs: {statistics.fmean(last):.3f}{spread}")


if __name__ == "__main__":
    main()
