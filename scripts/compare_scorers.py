#!/usr/bin/env python3
"""`autogan score` beside torch-fidelity, pytorch-fid and clean-fid on the same images.

    cargo build --release
    python scripts/compare_scorers.py --data DIR [--venv DIR] [--autogan target/release/autogan]

DIR holds test_batch.bin of CIFAR-10 (binary version). Its first 1,000 images (--images) are scored against the
next 1,000, for each preset, with the synthetic weights of golden_inception.py, which all four programs
read from the same file. The packages go into a virtual environment (--venv, made where it is missing);
a Python that has them already is used as it is.

What is compared, per preset:
  torch-fidelity   torch_fidelity.calculate_metrics on two folders of PNG (inception-v3-compat for PRC)
  pytorch-fid      pytorch_fid's features of the folders; its own FID, and torch-fidelity's other
                   scores on these features
  clean            clean-fid's features of the folders (its resize, this network); its own FID, and
                   torch-fidelity's other scores on these features
"FID, exact" is the distance from the peer's features in float64 by the nuclear norm, which is exact;
the peers' own take a matrix square root of a singular product and round. Precision and recall are
counts of images: any difference is at least one image. Then clean-fid's resize on random planes of
several sizes, and the other scores on the same features (--features, two sets of 2,048-dimensional ones):
  density, coverage  prdc.compute_prdc
  KID                torch-fidelity's, with the polynomial and the Gaussian kernel
  MMD                the formula of CMMD in float64
  MIND               torch-fidelity's of the main branch, whose checkout is named by --torch-fidelity DIR; on our
                     draws of its projections, and on projections that it hands over as a file
  FD                 from the features in float64, as above
With --prdc N it then takes precision, recall, density and coverage of N against N features here and in prdc, and
prints the times and the peaks of memory. Ends with 1 when a difference is above its bound.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import venv

PACKAGES = ["torch", "torchvision", "torch-fidelity>=0.4,<0.5", "pytorch-fid", "clean-fid", "prdc", "scipy<1.18", "safetensors", "pillow", "numpy"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
SUBSETS = 100
KEYS = {
    "IS": "inception_score_mean",
    "IS, std": "inception_score_std",
    "FID, exact": "frechet_inception_distance",
    "FID, its own": "frechet_inception_distance",
    "KID": "kernel_inception_distance_mean",
    "KID, std": "kernel_inception_distance_std",
    "precision": "precision",
    "recall": "recall",
}
# Largest relative differences; none for FIDs that round by themselves.
BOUNDS = {key: 1e-4 for key in KEYS} | {"FID, exact": 1e-5, "FID, its own": None}
# Heights and widths of the planes that are resized to 299x299.
SIZES = [(8, 8), (32, 32), (31, 77), (96, 64), (150, 300), (299, 299), (300, 298), (512, 384), (1024, 900)]


def environment(folder):
    """Goes on in a Python that has the packages."""
    try:
        import cleanfid, prdc, pytorch_fid, safetensors, scipy, torch_fidelity  # noqa: E401, F401

        if tuple(int(part) for part in scipy.__version__.split(".")[:2]) < (1, 18):
            return
    except ImportError:
        pass
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if pathlib.Path(sys.executable) == python:
        raise SystemExit(f"{folder} lacks packages; delete it, and it is made anew")
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    raise SystemExit(subprocess.run([python, *sys.argv]).returncode)


def folders(batch, count, scratch):
    """Two folders of PNG files, in the order of the batch."""
    import numpy as np
    from PIL import Image

    raw = np.fromfile(batch, np.uint8).reshape(-1, 3073)[: 2 * count, 1:]
    images = raw.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    for name, part in (("a", images[:count]), ("b", images[count:])):
        (scratch / name).mkdir()
        for i, image in enumerate(part):
            Image.fromarray(image).save(scratch / name / f"{i:05}.png")
    return str(scratch / "a"), str(scratch / "b")


def exact_fid(a, b):
    """From two feature sets, in float64: the trace of the root is the nuclear norm of the centred sets' product."""
    import numpy as np

    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    ca, cb = a - a.mean(0), b - b.mean(0)
    root = np.linalg.svd(ca @ cb.T, compute_uv=False).sum() / np.sqrt((len(a) - 1) * (len(b) - 1))
    traces = (ca**2).sum() / (len(a) - 1) + (cb**2).sum() / (len(b) - 1)
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + traces - 2 * root


def scores_of_features(a, b, fc, subset):
    """torch-fidelity's scores of two feature sets [N, 2048]; logits without bias follow from them."""
    import torch
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    a, b = (torch.as_tensor(x, dtype=torch.float32) for x in (a, b))
    kid = kid_features_to_metric(a, b, kid_subsets=SUBSETS, kid_subset_size=subset, rng_seed=2020, verbose=False)
    isc = isc_features_to_metric(a @ fc.T, splits=10, shuffle=True, rng_seed=2020)
    prc = prc_features_to_metric(a, b, prc_neighborhood=3, prc_batch_size=10000, save_cpu_ram=False, verbose=False)
    return {**isc, **kid, **prc}


def torch_fidelity_peer(a, b, weights, state, subset):
    import torch_fidelity
    from torch_fidelity.utils import create_feature_extractor, extract_featuresdict_from_input_id_cached

    with tempfile.TemporaryDirectory() as cache:
        options = dict(
            input1=a, input2=b, input1_cache_name="a", input2_cache_name="b", cache_root=cache, cuda=False, verbose=False, batch_size=50,
            feature_extractor="inception-v3-compat", feature_extractor_weights_path=weights,
        )
        found = torch_fidelity.calculate_metrics(isc=True, fid=True, kid=True, prc=True, kid_subsets=SUBSETS, kid_subset_size=subset, **options)
        extractor = create_feature_extractor("inception-v3-compat", ["2048"], **options)
        sets = [extract_featuresdict_from_input_id_cached(i, extractor, **options)["2048"].numpy() for i in (1, 2)]
    return found, sets


def pytorch_fid_peer(a, b, weights, state, subset):
    import numpy as np
    from golden_inception import pfi, synthetic_weights
    from pytorch_fid.fid_score import calculate_frechet_distance, get_activations

    original, pfi.fid_inception_v3 = pfi.fid_inception_v3, lambda: synthetic_weights()[1]
    model = pfi.InceptionV3([3])
    pfi.fid_inception_v3 = original
    sets = [get_activations(sorted(pathlib.Path(d).glob("*.png")), model, num_workers=0) for d in (a, b)]
    moments = [m for s in sets for m in (np.mean(s, axis=0), np.cov(s, rowvar=False))]
    found = scores_of_features(*sets, state["fc.weight"], subset)
    return {**found, "frechet_inception_distance": calculate_frechet_distance(*moments)}, sets


def clean_fid_peer(a, b, weights, state, subset):
    import golden_inception as golden
    import torch
    from cleanfid import fid

    network = golden.torch_fidelity_extractor(state, ["2048"])
    resize, resized = golden.tfi.interpolate_bilinear_2d_like_tensorflow1x, []
    golden.tfi.interpolate_bilinear_2d_like_tensorflow1x = lambda *_, **__: resized.pop()

    def model(images):
        # clean-fid has resized already, to floats in 0..255; the network insists on u8 and on a resize of its own.
        resized.append(images.float())
        return network(images.to(torch.uint8))[0]

    try:
        options = dict(model=model, mode="clean", num_workers=0, batch_size=50, device=torch.device("cpu"), verbose=False)
        sets = [fid.get_folder_features(folder, **options) for folder in (a, b)]
    finally:
        golden.tfi.interpolate_bilinear_2d_like_tensorflow1x = resize
    found = scores_of_features(*sets, state["fc.weight"], subset)
    return {**found, "frechet_inception_distance": fid.fid_from_feats(*sets)}, sets


PEERS = {"torch-fidelity": torch_fidelity_peer, "pytorch-fid": pytorch_fid_peer, "clean": clean_fid_peer}


def ours(autogan, preset, a, b, weights, subset):
    command = [autogan, "score", "--is", "--fid", "--kid", "--prc", "--input1", a, "--input2", b, "--weights", weights, "--preset", preset]
    command += ["--kid-subsets", SUBSETS, "--kid-subset-size", subset, "--no-cache", "--silent", "--json"]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def compare_scores(args, a, b, weights, state):
    """Prints the table; gives the rows above their bounds."""
    above, subset = [], args.images // 2
    print(f"{'preset':16}{'score':14}{'autogan':>20}{'peer':>20}{'relative':>12}  bound", flush=True)
    for preset in args.presets:
        found = ours(args.autogan, preset, a, b, weights, subset)
        peer, sets = PEERS[preset](a, b, weights, state, subset)
        for row, key in KEYS.items():
            expected = exact_fid(*sets) if row == "FID, exact" else peer[key]
            gap, bound = abs(found[key] - expected) / abs(expected), BOUNDS[row]
            missed = bound is not None and not gap < bound
            print(f"{preset:16}{row:14}{found[key]:20.10g}{expected:20.10g}{gap:12.1e}  {'-' if bound is None else f'{bound:.0e}'}{'  MISSED' if missed else ''}", flush=True)
            if missed:
                above.append(f"{preset}, {row}")
    return above


def compare_resize(args, scratch):
    """clean-fid's resize of one channel against the example `clean_resize`; gives the sizes above the bound."""
    import numpy as np
    from cleanfid.resize import build_resizer
    from safetensors.numpy import load_file, save_file

    rng, resize = np.random.RandomState(0), build_resizer("clean")
    planes = {f"{h}x{w} {i}": rng.randint(0, 256, (h, w)).astype(np.float32) for h, w in SIZES for i in range(3)}
    save_file(planes, scratch / "planes.safetensors")
    command = ["cargo", "run", "--quiet", "--release", "-p", "autogan-metrics", "--example", "clean_resize", "--"]
    subprocess.run([*command, scratch / "planes.safetensors", scratch / "resized.safetensors"], check=True, cwd=ROOT)
    resized, above = load_file(scratch / "resized.safetensors"), []
    print(f"\n{'clean resize from':20}{'largest difference, grey levels':>34}")
    for h, w in SIZES:
        names = [f"{h}x{w} {i}" for i in range(3)]
        expected = resize(np.stack([planes[name] for name in names], 2).astype(np.uint8))
        gap = max(np.abs(resized[name] - expected[:, :, i]).max() for i, name in enumerate(names))
        print(f"{f'{h}x{w}':20}{gap:34.1e}", flush=True)
        if not gap < 1e-4:
            above.append(f"resize from {h}x{w}")
    return above


def feature_sets(count, width=2048):
    """Two sets as a network gives them: rectified, correlated, of different scale."""
    import numpy as np

    rng = np.random.RandomState(11)
    mix = rng.randn(64, width).astype(np.float32) / 8
    a, b = (rng.randn(count, 64).astype(np.float32) @ mix + 0.1 * rng.randn(count, width).astype(np.float32) for _ in range(2))
    return np.maximum(a, 0), np.maximum(1.1 * b + 0.05, 0)


def example(args):
    """The example `score_features`, which is built unless it is named."""
    if args.score_features:
        return args.score_features
    build = ["cargo", "build", "--quiet", "--release", "-p", "autogan-metrics", "--example", "score_features"]
    subprocess.run(build, check=True, cwd=ROOT)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "examples" / "score_features"


def files_of(scratch, a, b, **more):
    """The files that the example reads."""
    from safetensors.numpy import save_file

    paths = [scratch / "generated.safetensors", scratch / "real.safetensors"]
    save_file({"features": a} | more, paths[0])
    save_file({"features": b}, paths[1])
    return paths


def ours_of_features(program, paths):
    done = subprocess.run([program, *paths], stdout=subprocess.PIPE, text=True, check=True)
    return {name: (float(value), float(seconds)) for name, value, seconds in map(str.split, done.stdout.splitlines())}


def main_branch(folder):
    """torch-fidelity's MIND of the main branch, by its file: the published package has none."""
    import importlib.util

    from torch_fidelity.helpers import DEFAULTS

    DEFAULTS.setdefault("mind_num_projections", 1000)
    spec = importlib.util.spec_from_file_location("metric_mind", folder / "torch_fidelity" / "metric_mind.py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (OSError, ImportError) as error:
        raise SystemExit(f"--torch-fidelity: expected a checkout of torch-fidelity's main branch in {folder}: {error}")
    return module.mind_features_to_metric


def peers_of_features(a, b, torch_fidelity):
    """The reference implementations' scores of the generated set a and the real set b."""
    import torch
    from golden_distances import mmd, neighbours
    from torch_fidelity.metric_kid import kid_features_to_metric

    ta, tb = torch.tensor(a), torch.tensor(b)
    subsets = dict(kid_subsets=SUBSETS, kid_subset_size=min(len(a), 1000), rng_seed=2020, cuda=False, verbose=False)
    kid = {
        "kid": kid_features_to_metric(ta.double(), tb.double(), **subsets),
        "kid-rbf": kid_features_to_metric(ta.double(), tb.double(), kid_kernel="rbf", kid_kernel_rbf_sigma=10.0, **subsets),
    }
    found = {name: value["kernel_inception_distance_mean"] for name, value in kid.items()}
    found.update(fd=exact_fid(a, b), mmd=mmd(a, b, 10.0, 1000.0))
    found.update(neighbours(b, a, 5))
    if torch_fidelity:
        mind = main_branch(torch_fidelity)
        directions = torch.randn(1000, a.shape[1], generator=torch.Generator().manual_seed(7))
        options = dict(mind_num_projections=1000, cuda=False, verbose=False)
        found["mind"] = mind(ta, tb, rng_seed=2020, **options)
        # Sets of the same size draw nothing before the projections.
        found["mind-along"] = mind(ta, tb, rng_seed=7, **options)
        found = {key: value["monge_inception_distance"] if isinstance(value, dict) else value for key, value in found.items()}
        return found, directions.numpy()
    return found, None


def compare_features(args, scratch):
    """Prints the scores of the same features here and by the reference implementations; gives those above the bound."""
    a, b = feature_sets(args.features)
    expected, directions = peers_of_features(a, b, args.torch_fidelity)
    paths = files_of(scratch, a, b, **({} if directions is None else {"directions": directions}))
    found, above = ours_of_features(example(args), paths), []
    print(f"\n{'score of features':20}{'autogan':>20}{'peer':>20}{'relative':>12}  bound 1e-05")
    for name, value in expected.items():
        gap = abs(found[name][0] - value) / abs(value)
        print(f"{name:20}{found[name][0]:20.10g}{value:20.10g}{gap:12.1e}{'' if gap < 1e-5 else '  MISSED'}", flush=True)
        if not gap < 1e-5:
            above.append(f"features, {name}")
    return above


def peak_of(command):
    """Seconds and the peak of memory in GiB of a command."""
    import time

    begun = time.monotonic()
    pid = os.posix_spawnp(str(command[0]), [str(word) for word in command], os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise SystemExit(f"{command} ended with {status}")
    return time.monotonic() - begun, usage.ru_maxrss / 2**20


PRDC = """
import sys, prdc
from safetensors.numpy import load_file
generated, real = (load_file(path)["features"] for path in sys.argv[1:])
print(prdc.compute_prdc(real, generated, nearest_k=5))
"""


def compare_prdc(args, scratch):
    """Time and memory of precision, recall, density and coverage, here and in prdc."""
    paths = files_of(scratch, *feature_sets(args.prdc))
    print(f"\nprecision, recall, density, coverage of {args.prdc} against {args.prdc} features", flush=True)
    mine = peak_of([example(args), *paths, "prdc"])
    peer = peak_of([sys.executable, "-c", PRDC, *paths])
    for name, (seconds, memory) in {"autogan": mine, "prdc": peer}.items():
        print(f"{name:10}{seconds:10.1f} s{memory:8.2f} GiB")
    print(f"{'ratio':10}{peer[0] / mine[0]:10.2f}x{mine[1] / peer[1]:8.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with test_batch.bin")
    parser.add_argument("--venv", type=pathlib.Path, default=ROOT / "target" / "scorers-venv")
    parser.add_argument("--autogan", default=ROOT / "target" / "release" / "autogan")
    parser.add_argument("--images", type=int, default=1000, help="in each of the two sets; at least 10, at most 5000")
    parser.add_argument("--threads", type=int, help="PyTorch's; 1 on a machine with other work, where its threads would wait for each other")
    parser.add_argument("--presets", nargs="*", choices=PEERS, default=list(PEERS), help="all without it; none with no name behind it")
    parser.add_argument("--features", type=int, default=1000, help="in each of the two sets of features")
    parser.add_argument("--torch-fidelity", type=pathlib.Path, metavar="DIR", help="a checkout of its main branch, for MIND")
    parser.add_argument("--score-features", type=pathlib.Path, metavar="FILE", help="the example of this name; built without it")
    parser.add_argument("--prdc", type=int, metavar="N", help="time precision, recall, density and coverage of N features")
    args = parser.parse_args()
    environment(args.venv.absolute())
    import torch
    from golden_inception import synthetic_weights

    torch.set_grad_enabled(False)
    if args.threads:
        torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        a, b = folders(args.data / "test_batch.bin", args.images, scratch)
        state, weights = synthetic_weights()[0], str(scratch / "synthetic.pth")
        torch.save(state, weights)
        above = compare_resize(args, scratch) + compare_scores(args, a, b, weights, state) + compare_features(args, scratch)
        if args.prdc:
            compare_prdc(args, scratch)
    if above:
        raise SystemExit("\nabove the bound: " + "; ".join(above))


if __name__ == "__main__":
    main()
