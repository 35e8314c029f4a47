#!/usr/bin/env python3
"""Measures how well rewards on shared weights order architectures trained from scratch, for several settings.

    cargo build --release --package autogan-cli
    python3 scripts/measure_rewards.py target/release/autogan --data cifar-10-batches-bin

All 36 architectures of one cell are scored on supernets that are trained on even draws, with each setting of the reward
and with each seed; the order of the scores in the last iteration is compared with that of −ln of the Fréchet distance
after 300 iterations from scratch (Spearman). For CIFAR-10 these come from the table (--shards), for the embedded shapes
180 trainings are made first. Everything that is finished is kept in OUT (models/rewards: scratch-shapes.csv, rewards.csv); the same
command goes on, and prints the table at its end. --at-once runs so many programs with one thread each.
"""

import argparse
import collections
import concurrent.futures
import csv
import json
import pathlib
import shutil
import signal
import statistics
import subprocess
import tempfile

from reward_correlation import from_scratch, spearman, trials

# Common to all searches: each of the 36 architectures is scored once in each of the four iterations of stage 0.
SEARCH = """model.gf=16 model.df=16 model.latent=32 controller.policy=uniform controller.steps=18 controller.children=2
controller.distinct_within=iteration search.iterations=6 search.grow_at=[4,5] reset.enabled=false""".split()
TRAINING = """model.gf=16 model.df=16 model.latent=32 schedule.g_iterations=300 schedule.score_every=300
schedule.samples_every=0 score.images=2000""".split()
PRESETS = {"shapes": "quick", "cifar10": "cifar10-cpu"}
LOG, RUNNING = "reward.metric=log_frechet", "reward.recalibrate_batches=0"
LIVE, LATENTS, FAIR = "reward.weights=live", "reward.latents=iteration", "search.shared_sampling=fair"
SETTINGS = {
    "IS, averaged weights, recalibrated (the presets')": [],
    "IS, live weights, running statistics (released)": [LIVE, RUNNING],
    "−ln F, averaged, recalibrated": [LOG],
    "−ln F, live, running": [LOG, LIVE, RUNNING],
    "−ln F, averaged, running": [LOG, RUNNING],
    "−ln F, averaged, running, common latents": [LOG, RUNNING, LATENTS],
    "−ln F, averaged, running, fair": [LOG, RUNNING, FAIR],
    "−ln F, averaged, running, common latents, fair": [LOG, RUNNING, LATENTS, FAIR],
}


class Rows:
    """A CSV file that is only added to."""

    def __init__(self, path, columns):
        self.path, self.columns = path, columns
        if not path.exists():
            path.write_text(",".join(columns) + "\n")
        with open(path, newline="") as file:
            self.rows = list(csv.DictReader(file))

    def add(self, **row):
        self.rows.append({key: str(value) for key, value in row.items()})
        with open(self.path, "a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(row)


def settings(values):
    return [word for value in values for word in ("--set", value)]


def archs():
    ranges = [range(2), range(3), range(3), range(2)]
    found = [[]]
    for choices in ranges:
        found = [begun + [choice] for begun in found for choice in choices]
    return [" ".join(map(str, arch)) for arch in found]


def train(program, arch, seed):
    """−ln F is computed from this Fréchet distance of the shapes."""
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        command = [program, "train", "--quiet", "--threads", "1", "--preset", "quick", "--seed", str(seed)]
        command += ["--arch", *arch.split(), "--run-dir", str(run), *settings(TRAINING)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.loads((run / "scores.json").read_text())["last"]["frechet"]


def search(program, data, dataset, values, seed):
    """The score of each architecture in the last iteration of stage 0."""
    folder = tempfile.mkdtemp()
    try:
        run = pathlib.Path(folder) / "run"
        command = [program, "search", "--log-format", "json", "--threads", "1", "--preset", PRESETS[dataset]]
        command += ["--seed", str(seed), "--run-dir", str(run), *settings(SEARCH + values)]
        command += ["--data", data] if dataset == "cifar10" else []
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            event = json.loads(line)
            # Stage 0 is over: nothing that follows is looked at.
            if event.get("event") == "stage" and event.get("stage") == 1:
                process.send_signal(signal.SIGINT)
            elif event.get("level") == "error":
                raise RuntimeError(line)
        process.wait()
        last = trials(run)
        last = last[max(last)]
        if len(last) != 36:
            raise RuntimeError(f"{dataset}, seed {seed}: expected scores of 36 architectures, found {len(last)}")
        return last
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def scratch(args, pool):
    """−ln F by architecture, for each dataset."""
    import math

    truth = {}
    if "cifar10" in args.datasets:
        truth["cifar10"] = from_scratch(args.shards, 300)[0]
    if "shapes" in args.datasets:
        rows = Rows(args.out / "scratch-shapes.csv", ["arch", "seed", "frechet"])
        done = {(row["arch"], int(row["seed"])) for row in rows.rows}
        missing = [(arch, seed) for seed in range(5) for arch in archs() if (arch, seed) not in done]
        jobs = {pool.submit(train, args.program, arch, seed): (arch, seed) for arch, seed in missing}
        for job in concurrent.futures.as_completed(jobs):
            arch, seed = jobs[job]
            rows.add(arch=arch, seed=seed, frechet=job.result())
        logs = collections.defaultdict(list)
        for row in rows.rows:
            logs[row["arch"]].append(-math.log(float(row["frechet"])))
        truth["shapes"] = {arch: statistics.fmean(values) for arch, values in logs.items()}
    return truth


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--data", help="directory of CIFAR-10's files")
    parser.add_argument("--out", type=pathlib.Path, default="models/rewards")
    parser.add_argument("--shards", default="models/table/shards")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--datasets", nargs="+", choices=PRESETS, default=list(PRESETS))
    args = parser.parse_args()
    if "cifar10" in args.datasets and not args.data:
        parser.error("expected --data, the directory of CIFAR-10's files; or --datasets shapes")
    args.out.mkdir(parents=True, exist_ok=True)
    rows = Rows(args.out / "rewards.csv", ["dataset", "setting", "seed", "spearman"])
    pool = concurrent.futures.ThreadPoolExecutor(args.at_once)
    try:
        truth = scratch(args, pool)
        done = {(row["dataset"], row["setting"], int(row["seed"])) for row in rows.rows}
        wanted = [(d, name, seed) for seed in range(args.seeds) for name in SETTINGS for d in args.datasets]
        jobs = {
            pool.submit(search, args.program, args.data, dataset, SETTINGS[name], seed): (dataset, name, seed)
            for dataset, name, seed in wanted
            if (dataset, name, seed) not in done
        }
        for job in concurrent.futures.as_completed(jobs):
            dataset, name, seed = jobs[job]
            last = job.result()
            rho = spearman([(score, truth[dataset][arch]) for arch, score in last.items()])
            rows.add(dataset=dataset, setting=name, seed=seed, spearman=f"{rho:.4f}")
            print(f"{dataset}\t{name}\tseed {seed}\t{rho:.3f}", flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
    found = collections.defaultdict(list)
    for row in rows.rows:
        found[row["setting"], row["dataset"]].append(float(row["spearman"]))
    print("\n| reward on shared weights |", " | ".join(args.datasets), "|")
    print("|---|" + "---|" * len(args.datasets))
    for name in SETTINGS:
        cells = [found[name, dataset] for dataset in args.datasets]
        shown = [f"{statistics.fmean(c):.2f} ± {statistics.stdev(c):.2f} ({len(c)})" if len(c) > 1 else "–" for c in cells]
        print(f"| {name} | {' | '.join(shown)} |")
    print("\nSpearman's rank correlation with −ln F from scratch: mean ± standard deviation over searches (how many)")


if __name__ == "__main__":
    main()
