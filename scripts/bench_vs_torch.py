#!/usr/bin/env python3
"""Both sides of each benchmark in turn, and their ratios: what `cargo xtask bench --vs-torch` runs.

    pip install torch torchvision torch-fidelity pytorch-fid safetensors pillow numpy "scipy<1.18"
    cargo xtask bench --vs-torch [--only supernet --stages 0 1 2 --cycles 3 --runs 5] [--save]

Each measurement is a process of its own, so that its peak memory is its own; the sides alternate, so
that what else the machine does meets all of them. Ratios are of medians, with the least and the
greatest of the single rounds in brackets; of PyTorch's two layouts the faster one counts. --save
keeps results, commands, commit, versions and processor under benches/runs/DATE-HOST/.
AUTOGAN_PYTHON names the Python to use.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ["torch", "torchvision", "torch-fidelity", "numpy", "scipy"]


def measurements(args):
    """(title, figure, larger is better, {side: command}), our side first."""
    ours = [args.autogan, "--threads", str(args.threads), "bench"]

    def script(name, *rest):
        return [sys.executable, str(ROOT / "scripts" / name), "--threads", str(args.threads), *rest, "--json"]

    if "supernet" in args.only:
        for stage in args.stages:
            archs = args.archs or ROOT / "benches" / f"archs-stage{stage}.txt"
            sizes = ["--stage", str(stage), "--archs", str(archs), "--cycles", str(args.cycles)]
            yield f"supernet, stage {stage}", "images_per_s", True, {
                "autogan": [*ours, "supernet", *sizes, "--json"],
                "PyTorch": script("bench_supernet.py", *sizes),
                "PyTorch, channels-last": script("bench_supernet.py", *sizes, "--channels-last"),
            }
    if "inception" in args.only:
        sizes = ["--images", str(args.images), "--batch", "50"]
        yield "Inception-v3", "images_per_s", True, {
            "autogan": [*ours, "inception", *sizes, "--json"],
            "torch-fidelity": script("bench_inception.py", *sizes),
            "torch-fidelity, channels-last": script("bench_inception.py", *sizes, "--channels-last"),
        }
    if "frechet" in args.only:
        for method, peer in (("sqrtm", "scipy.linalg.sqrtm"), ("eigvals", "torch.linalg.eigvals")):
            yield f"Fréchet, {args.dim} features", "seconds", False, {
                "autogan": [*ours, "frechet", "--dim", str(args.dim), "--json"],
                peer: script("bench_frechet.py", "--method", method, "--dim", str(args.dim)),
            }


def measure(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def spread(values):
    return f"{statistics.median(values):.3g} [{min(values):.3g} to {max(values):.3g}]"


def compare(title, figure, larger, commands, runs):
    """Runs the sides in turn; prints a table, gives everything that was measured."""
    results = {side: [] for side in commands}
    for run in range(runs):
        # Every other round backwards, so that no side is always the first.
        for side in list(commands)[:: -1 if run % 2 else 1]:
            results[side].append(measure(commands[side]))
            print(f"  {title}, round {run + 1} of {runs}: {side} {results[side][-1][figure]:.4g}", file=sys.stderr)
    values = {side: [r[figure] for r in rows] for side, rows in results.items()}
    peaks = {side: [r["peak_mib"] for r in rows if r["peak_mib"] is not None] for side, rows in results.items()}
    pick = max if larger else min
    best = pick(list(values)[1:], key=lambda side: statistics.median(values[side]))
    print(f"\n{title}: {figure}")
    for side in values:
        memory = f"peak {spread(peaks[side])} MiB" if peaks[side] else ""
        print(f"  {side:32} {spread(values[side]):32} {memory}")
    ours, theirs = values["autogan"], values[best]
    faster = [a / b if larger else b / a for a, b in zip(ours, theirs)]
    ratio = statistics.median(ours) / statistics.median(theirs)
    ratio = ratio if larger else 1 / ratio
    print(f"  faster than {best}: {ratio:.2f}x [{min(faster):.2f} to {max(faster):.2f}]")
    memory = statistics.median(peaks["autogan"]) / statistics.median(peaks[best]) if peaks["autogan"] else None
    if memory is not None:
        print(f"  memory beside it: {memory:.2f}x")
    return {
        "title": title,
        "figure": figure,
        "peer": best,
        "ratio": ratio,
        "ratio_of_rounds": faster,
        "memory_ratio": memory,
        "commands": {side: " ".join(shown(word) for word in command) for side, command in commands.items()},
        "results": results,
    }


def shown(word):
    """A word of a command without this machine's folders."""
    path = pathlib.Path(word)
    if not path.is_absolute():
        return word
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def save(args, compared):
    now = datetime.datetime.now(datetime.timezone.utc)
    folder = ROOT / "benches" / "runs" / f"{now:%Y-%m-%d}-{platform.node()}"
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "at": now.isoformat(timespec="seconds"),
        "commit": output("git", "rev-parse", "HEAD"),
        "changed_files": bool(output("git", "status", "--porcelain", "--untracked-files=no")),
        "autogan": output(args.autogan, "--version"),
        "rustc": output("rustc", "--version"),
        "python": platform.python_version(),
        "packages": {package: version(package) for package in PACKAGES},
        "processor": processor(),
        "threads": args.threads,
        "system": platform.platform(),
        "compared": compared,
    }
    path = folder / f"vs-torch-{now:%H%M%S}.json"
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    scratch.replace(path)
    print(f"\nkept in {path.relative_to(ROOT)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--autogan", required=True, help="the binary; cargo xtask gives it")
    parser.add_argument("--only", nargs="+", choices=("supernet", "inception", "frechet"), default=["supernet", "inception", "frechet"])
    parser.add_argument("--stages", nargs="+", type=int, choices=(0, 1, 2), default=[0, 1, 2])
    parser.add_argument("--archs", type=pathlib.Path, help="instead of benches/archs-stageS.txt; for one stage")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cycles", type=int, default=3)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    parser.add_argument("--save", action="store_true")
    args = parser.parse_args()
    if args.archs and len(args.stages) != 1:
        parser.error("--archs is for one stage: give --stages S too")
    if version("torch") is None:
        raise SystemExit(f"{sys.executable} has no PyTorch; the first lines of {__file__} say what to install, and AUTOGAN_PYTHON names another Python")
    compared = [compare(*measurement, args.runs) for measurement in measurements(args)]
    if args.save:
        save(args, compared)


if __name__ == "__main__":
    main()
