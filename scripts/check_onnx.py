#!/usr/bin/env python3
"""`autogan export --onnx` under `onnx.checker` and onnxruntime, against `autogan sample` and PyTorch.

    pip install torch safetensors numpy onnx onnxruntime
    cargo build --release
    python scripts/check_onnx.py [--autogan target/release/autogan] [--report check.csv]

Weights come from PyTorch (golden_gan.py's supernet with random weights and batch-norm statistics of some batches). For
each of the 18 choices of order, norm and upsampling there are four architectures of three cells (shortcut or not, all
skips or none), then the published ones, random ones and shorter ones, each with both skip taps: the model passes
`onnx.checker` with shape inference, and onnxruntime's images for batches of 1 and 5 are those of `autogan sample` to
1e-5, and PyTorch's where the tap is the released code's. Last, AutoGAN A at the released size. Ends with 1 when
something differs.
"""

import argparse
import csv
import itertools
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
from check_released import ARCHS, Supernet
from golden_gan import initialise
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
BOUND = 1e-5
BATCHES = (1, 5)


def architectures():
    """Released vectors: every choice of a cell in all three cells, then others."""
    for conv, norm, up in itertools.product(range(2), range(3), range(3)):
        for shortcut, skips in itertools.product(range(2), range(2)):
            cell = [conv, norm, up, shortcut]
            yield cell + cell + [skips] + cell + [3 * skips]
    yield from ARCHS.values()
    rng = random.Random(0)
    for cells in (1, 2, 3, 3, 3, 3, 3, 3, 3, 3):
        first = [rng.randrange(n) for n in (2, 3, 3, 2)]
        yield first + [rng.randrange(n) for c in range(1, cells) for n in (2, 3, 3, 2, 2**c)]


def weights(latent, width, bottom):
    """A supernet in evaluation mode."""
    torch.manual_seed(3)
    net = Supernet(latent, width, bottom, ARCHS["a"])
    initialise(net)
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.3, 2)
        norm.bias.data.normal_(0, 0.2)
    return net.eval()


def autogan(args, *words):
    done = subprocess.run([str(args.autogan), *(str(word) for word in words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr


def check(args, scratch, net, path, arch, tap):
    """The largest differences from ours and from PyTorch, none for the latter where its tap is another."""
    model, out = scratch / "model.onnx", scratch / "images.safetensors"
    vector = " ".join(map(str, arch))
    autogan(args, "export", path, "--arch", vector, "--skip-tap", tap, "--onnx", model, "--force")
    onnx.checker.check_model(onnx.load(model), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    ours, torchs = 0.0, None
    for n in BATCHES:
        z = torch.randn(n, net.l1.in_features)
        save_file({"z": z}, scratch / "z.safetensors")
        autogan(args, "sample", path, "--arch", vector, "--skip-tap", tap, "--latents", scratch / "z.safetensors", "--tensor-out", out)
        images = session.run(["images"], {"z": z.numpy()})[0]
        expected = load_file(out)["images"].numpy()
        assert images.shape == expected.shape, (images.shape, expected.shape)
        ours = max(ours, float(np.abs(images - expected).max()))
        if tap == "after-add":
            net.arch = arch
            with torch.no_grad():
                gap = float(np.abs(images - net(z).numpy()).max())
            torchs = max(torchs or 0.0, gap)
    return ours, torchs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--autogan", type=pathlib.Path, default=ROOT / "target" / "release" / "autogan")
    parser.add_argument("--report", type=pathlib.Path, help="differences of every architecture, CSV")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows, missed = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        small, large = weights(24, 16, 4), weights(128, 256, 4)
        work = [(small, arch, tap) for arch in architectures() for tap in ("after-add", "before-add")]
        work += [(large, ARCHS["a"], tap) for tap in ("after-add", "before-add")]
        files = {}
        for net, arch, tap in work:
            if net not in files:
                files[net] = scratch / f"supernet{len(files)}.safetensors"
                save_file(net.state_dict(), files[net])
            ours, torchs = check(args, scratch, net, files[net], arch, tap)
            missed += not (ours <= BOUND and (torchs is None or torchs <= BOUND))
            rows.append([" ".join(map(str, arch)), net.width, tap, ours, torchs])
            print(f"{rows[-1][0]:30} gf {net.width:3} {tap:11} autogan {ours:.1e}" + (f"  PyTorch {torchs:.1e}" if torchs is not None else ""), flush=True)
    if args.report:
        with open(args.report, "w", newline="") as file:
            csv.writer(file).writerows([["arch", "gf", "skip_tap", "autogan", "pytorch"], *rows])
    print(f"{len(rows)} models, opset {onnx.defs.onnx_opset_version()} known to onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}; largest difference {max(row[3] for row in rows):.1e}; {missed} above {BOUND:.0e}")
    if missed:
        sys.exit(1)


if __name__ == "__main__":
    main()
