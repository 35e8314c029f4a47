#!/usr/bin/env python3
"""Measures what shifts a Fréchet distance although the generator is the same: the table of docs/scores.md.

    python scripts/measure_effects.py --data DIR --weights FILE [--autogan target/release/autogan]

DIR holds data_batch_1.bin, data_batch_2.bin and test_batch.bin of CIFAR-10 (binary version), FILE the weights of a
trained ResNet-20 of CIFAR-10. "Generated" images are the test images, the reference is the first 10,000 training images,
and each row changes one thing. Needs numpy and pillow.
"""

import argparse
import io
import json
import pathlib
import subprocess
import tempfile

import numpy as np
from PIL import Image


def read(path):
    return np.fromfile(path, np.uint8).reshape(-1, 3073)[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def jpeg(images, quality, subsampling):
    def once(image):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=subsampling)
        return np.asarray(Image.open(file))

    return np.stack([once(image) for image in images])


def resized(images, side, there, back):
    """To another side and back, as a pipeline does that stores images at a side of its own."""
    return np.stack([np.asarray(Image.fromarray(i).resize((side, side), there).resize((32, 32), back)) for i in images])


def cut(images, rng):
    """Floats that round to these images, with their fractions cut off."""
    return np.floor(np.clip(images + rng.uniform(-0.5, 0.5, images.shape), 0, 255)).astype(np.uint8)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--weights", type=pathlib.Path, required=True)
    parser.add_argument("--autogan", default="target/release/autogan")
    args = parser.parse_args()
    one, two, test = (read(args.data / f"{name}.bin") for name in ("data_batch_1", "data_batch_2", "test_batch"))
    rng = np.random.RandomState(0)
    box, bilinear, bicubic, nearest = (getattr(Image.Resampling, n) for n in ("BOX", "BILINEAR", "BICUBIC", "NEAREST"))
    base = ("test images, 10,000 against 10,000", test, one)
    rows = [
        base,
        ("another 10,000 training images as the reference", test, two),
        ("20,000 training images as the reference", test, np.concatenate([one, two])),
        ("5,000 images", test[:5000], one),
        ("2,000 images", test[:2000], one),
        ("1,000 images", test[:1000], one),
        ("fractions cut off, not rounded", cut(test, rng), one),
        ("stored as JPEG, quality 95, 4:4:4", jpeg(test, 95, 0), one),
        ("stored as JPEG, quality 75, 4:2:0", jpeg(test, 75, 2), one),
        ("both sets stored as JPEG, quality 75, 4:2:0", jpeg(test, 75, 2), jpeg(one, 75, 2)),
        ("to 64x64 and back, bicubic", resized(test, 64, bicubic, bicubic), one),
        ("to 64x64 and back, bilinear", resized(test, 64, bilinear, bilinear), one),
        ("to 48x48 and back, bicubic, then nearest", resized(test, 48, bicubic, nearest), one),
        ("to 64x64 and back, nearest, then box", resized(test, 64, nearest, box), one),
    ]
    print("| what | FD | beside the first row |\n| --- | --- | --- |", flush=True)
    first = None
    with tempfile.TemporaryDirectory() as scratch:
        sets = [pathlib.Path(scratch) / "generated.npz", pathlib.Path(scratch) / "real.npz"]
        for name, *pair in rows:
            for path, images in zip(sets, pair):
                np.savez(path, images)
            command = [args.autogan, "score", *sets, "--extractor", "resnet20-cifar10", "--weights", args.weights]
            command += ["--fd", "--bootstrap", "40", "--cache-dir", pathlib.Path(scratch) / "cache", "--json", "--silent"]
            found = json.loads(subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True).stdout)
            key = next(key for key in found if key.startswith("frechet") and not key.endswith(("_low", "_high", "_error")))
            first = found[key] if first is None else first
            low, high = found[f"{key}_low"], found[f"{key}_high"]
            print(f"| {name} | {found[key]:.3f} [{low:.3f}, {high:.3f}] | {found[key] - first:+.3f} |", flush=True)


if __name__ == "__main__":
    main()
