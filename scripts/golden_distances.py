"""Golden values for the distances and neighbours of autogan-metrics, from their reference implementations.

    pip install numpy prdc torch torchvision
    git clone https://github.com/toshas/torch-fidelity
    PYTHONPATH=torch-fidelity python scripts/golden_distances.py > crates/autogan-metrics/tests/golden/distances.json

MIND and KID with a Gaussian kernel come from torch-fidelity's main branch (MIND is not in version 0.4), density and
coverage from `prdc`, MMD from the formula of CMMD in float64, random numbers from PyTorch. The inputs are those of
golden_scores.py, rounded to float32.
"""
import contextlib
import json
import sys

import numpy as np
import prdc
import torch
from golden_scores import values


def sets():
    a, b = values("a", 300, 12), values("b", 250, 12)
    b[:, 0] = b[:, 0] * 0.5 + 1.0
    b[:, 1] = b[:, 1] * 0.5 + b[:, 2] * 0.25
    return a.astype(np.float32), b.astype(np.float32)


def mmd(a, b, sigma, scale):
    """CMMD's distance: the means of the kernel over all pairs."""
    a, b = a.astype(np.float64), b.astype(np.float64)

    def mean(x, y):
        gaps = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T
        return np.exp(-gaps / (2 * sigma**2)).mean()

    return scale * (mean(a, a) + mean(b, b) - 2 * mean(a, b))


def neighbours(a, b, k):
    """The package prints the sizes of the sets."""
    with contextlib.redirect_stdout(sys.stderr):
        return prdc.compute_prdc(a.astype(np.float64), b.astype(np.float64), nearest_k=k)


def generator(seed):
    return torch.Generator(device="cpu").manual_seed(seed)


def draws():
    drawn = generator(2020)
    found = {"randperm_10": torch.randperm(10, generator=drawn).tolist()}
    found["then_randn_16"] = torch.randn(16, generator=drawn).tolist()
    found["then_randn_37"] = torch.randn(37, generator=drawn).tolist()
    found["then_randperm_1000_first_8"] = torch.randperm(1000, generator=drawn)[:8].tolist()
    found["seed_7_randn_5"] = torch.randn(5, generator=generator(7)).tolist()
    return found


def main():
    # Here, so that other scripts can take the formulas without the main branch.
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_mind import mind_features_to_metric

    a, b = sets()
    ta, tb = torch.tensor(a), torch.tensor(b)
    options = dict(cuda=False, verbose=False, rng_seed=2020)
    rbf = dict(kid_subsets=5, kid_subset_size=100, kid_kernel="rbf")
    print(json.dumps({
        "versions": {"numpy": np.__version__, "torch": torch.__version__.split("+")[0]},
        "torch": draws(),
        # Sets of different size, then of the same.
        "mind_a_b_1000": mind_features_to_metric(ta, tb, mind_num_projections=1000, **options),
        "mind_b_a_1000": mind_features_to_metric(tb, ta, mind_num_projections=1000, **options),
        "mind_same_size_64": mind_features_to_metric(ta[:250], tb, mind_num_projections=64, **options),
        "kid_rbf_1": kid_features_to_metric(ta.double(), tb.double(), kid_kernel_rbf_sigma=1.0, **rbf, **options),
        "mmd_sigma_10": mmd(a, b, 10.0, 1000.0),
        "mmd_sigma_0.5": mmd(a, b, 0.5, 1.0),
        "prdc_5": neighbours(a, b, 5),
        "prdc_1": neighbours(a, b, 1),
    }, indent=1, default=float))


if __name__ == "__main__":
    main()
