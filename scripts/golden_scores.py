"""Golden values for the scores of autogan-metrics, from NumPy and SciPy in float64.

    pip install numpy "scipy<1.18"
    python scripts/golden_scores.py > crates/autogan-metrics/tests/golden/scores.json

With a file name ending in .npz as its argument it writes foreign statistics instead: compressed,
`mu` as float32, `sigma` in Fortran order.

The inputs are made by `values`, which the Rust test repeats bit for bit: value i of stream NAME is
u = splitmix64(fnv1a64(NAME) + (i + 1) * GAMMA) >> 40, over 2^24, in [0, 1), exact in float32.
"""
import json
import sys

import numpy as np
import scipy
import scipy.linalg
import scipy.spatial.distance as distance
import scipy.special
from synthetic import uniform


def values(name, rows, cols):
    return uniform(name, rows * cols).reshape(rows, cols)


def inception(logits, splits, seed):
    if seed is not None:
        logits = logits[np.random.RandomState(seed).permutation(len(logits))]
    p, lp = scipy.special.softmax(logits, 1), scipy.special.log_softmax(logits, 1)
    n, scores = len(logits), []
    for i in range(splits):
        part = slice(i * n // splits, (i + 1) * n // splits)
        kl = p[part] * (lp[part] - np.log(p[part].mean(0, keepdims=True)))
        scores.append(np.exp(kl.sum(1).mean()))
    return {"mean": np.mean(scores), "std": np.std(scores)}


def frechet(a, b):
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)


def frechet_nuclear(a, b):
    ca, cb = a - a.mean(0), b - b.mean(0)
    norm = np.linalg.svd(ca @ cb.T, compute_uv=False).sum() / np.sqrt((len(a) - 1) * (len(b) - 1))
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T)) - 2 * norm


def kid(a, b, subsets, size, seed):
    rng, out = np.random.RandomState(seed), []
    kernel = lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3
    for _ in range(subsets):
        x = a[rng.choice(len(a), size, replace=False)]
        y = b[rng.choice(len(b), size, replace=False)]
        within = sum(k.sum() - np.trace(k) for k in (kernel(x, x), kernel(y, y)))
        out.append(within / (size * (size - 1)) - 2 * kernel(x, y).mean())
    return {"mean": np.mean(out), "std": np.std(out)}


def precision_recall(real, fake, k):
    def inside(members, samples):
        radii = np.sort(distance.cdist(members, members), 1)[:, k]
        return float((distance.cdist(samples, members) <= radii).any(1).mean())

    return {"precision": inside(real, fake), "recall": inside(fake, real)}


def main():
    rng = np.random.RandomState(2020)
    numpy_values = {
        "permutation_10": rng.permutation(10).tolist(),
        "then_permutation_1000_first_8": rng.permutation(1000)[:8].tolist(),
        "then_choice_500_of_50000_last_4": rng.choice(50000, 500, replace=False)[-4:].tolist(),
        "seed_0_u32": np.random.RandomState(0).randint(0, 2**32, 4, dtype=np.uint32).tolist(),
    }
    order = np.arange(7)
    np.random.RandomState(5).shuffle(order)
    numpy_values["seed_5_shuffle_7"] = order.tolist()
    cifar = np.random.RandomState(2020).choice(50000, 5000, replace=False)
    numpy_values["choice_5000_of_50000"] = {"first": cifar[:5].tolist(), "sum": int(cifar.sum())}

    logits = values("logits", 203, 10) * 8 - 4
    a, b = values("a", 300, 12), values("b", 250, 12)
    b[:, 0] = b[:, 0] * 0.5 + 1.0
    b[:, 1] = b[:, 1] * 0.5 + b[:, 2] * 0.25
    wide_a, wide_b = values("wide_a", 20, 64), values("wide_b", 30, 64)
    out = {
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
        "numpy": numpy_values,
        "inception_10_in_order": inception(logits, 10, None),
        "inception_10_seed_2020": inception(logits, 10, 2020),
        "inception_3_seed_7": inception(logits, 3, 7),
        "mean_b": b.mean(0).tolist(),
        "cov_b_row_1": np.cov(b.T)[1].tolist(),
        "frechet_a_b": frechet(a, b),
        "frechet_wide": frechet_nuclear(wide_a, wide_b),
        "frechet_wide_a_b0_64": frechet_nuclear(wide_a, values("many", 500, 64)),
        "kid_5x100_seed_2020": kid(a, b, 5, 100, 2020),
        "prc_3": precision_recall(a, b, 3),
        "prc_1": precision_recall(a, b, 1),
    }
    json.dump(out, sys.stdout, indent=1, default=float)
    print()


def foreign_statistics(path):
    mu = np.array([0.5, 1.5, 2.5], np.float32)
    sigma = np.asfortranarray([[4.0, 1.0, 2.0], [1.0, 5.0, 3.0], [2.0, 3.0, 6.0]])
    np.savez_compressed(path, mu=mu, sigma=sigma)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].endswith(".npz"):
        foreign_statistics(sys.argv[1])
    else:
        main()
