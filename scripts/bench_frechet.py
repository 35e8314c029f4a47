#!/usr/bin/env python3
"""The counterparts of `autogan bench frechet`: the two ways in which Python scorers take the trace of
the square root of a product of covariances.

    pip install torch numpy "scipy<1.18"
    python scripts/bench_frechet.py --method sqrtm|eigvals --dim 2048 --json

sqrtm is pytorch-fid's (scipy.linalg.sqrtm), eigvals is torch-fidelity's (torch.linalg.eigvals, here in
float64). Feature i of a sample is a standard normal value times exp(-i/300).
"""

import argparse
import json
import resource
import statistics
import time

import numpy as np
import scipy
import scipy.linalg
import torch


def gaussian(rng, samples, dim, shift):
    scale = np.exp(-np.arange(dim) / 300)
    features = (rng.standard_normal((samples, dim)) + shift) * scale
    return features.mean(0), np.cov(features, rowvar=False)


def trace_of_root(method, a, b):
    if method == "sqrtm":
        return np.trace(scipy.linalg.sqrtm(a @ b)).real
    product = torch.from_numpy(a) @ torch.from_numpy(b)
    return torch.linalg.eigvals(product).sqrt().real.sum().item()


def measure(args):
    rng = np.random.default_rng(0)
    (m1, c1), (m2, c2) = (gaussian(rng, args.samples, args.dim, shift) for shift in (0.0, 0.1))
    seconds = []
    for _ in range(args.repeat):
        begun = time.perf_counter()
        root = trace_of_root(args.method, c1, c2)
        distance = ((m1 - m2) ** 2).sum() + np.trace(c1) + np.trace(c2) - 2 * root
        seconds.append(time.perf_counter() - begun)
    return {
        "seconds": statistics.median(seconds),
        "each_s": seconds,
        "distance": float(distance),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "method": args.method,
        "dim": args.dim,
        "samples": args.samples,
        "threads": torch.get_num_threads(),
        "scipy": scipy.__version__,
        "torch": torch.__version__,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--method", choices=("sqrtm", "eigvals"), required=True)
    for name, value in dict(dim=2048, samples=5000, repeat=1).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    result = measure(args)
    print(json.dumps(result) if args.json else f"{args.method}: {result['seconds']:.2f} s, distance {result['distance']:.6f}")


if __name__ == "__main__":
    main()
