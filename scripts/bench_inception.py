#!/usr/bin/env python3
"""The counterpart of `autogan bench inception`: torch-fidelity's extractor, synthetic weights.

    pip install torch torchvision torch-fidelity pytorch-fid safetensors pillow
    python scripts/bench_inception.py --images 200 --batch 50 --json [--channels-last] [--device cuda:0]

Features (2048) and bias-free logits of 32x32 u8 images, resize included. On a GPU the images come from the
host and the values go back to it, as ours do, in f32, not in TF32.
"""

import argparse
import json
import resource
import statistics
import time

import torch
import torch_fidelity
from golden_inception import synthetic_weights, torch_fidelity_extractor


def measure(args):
    network = torch_fidelity_extractor(synthetic_weights()[0], ["2048", "logits_unbiased"])
    if args.channels_last:
        network = network.to(memory_format=torch.channels_last)
    network = network.to(args.device)
    images = torch.randint(256, (args.images, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def run(batch):
        # Bringing the values back waits for the GPU.
        return [values.cpu() for values in network(batch.to(args.device))]

    run(images[: args.batch])
    if torch.device(args.device).type == "cuda":
        torch.cuda.synchronize(args.device)
    seconds = []
    for _ in range(args.repeat):
        begun = time.perf_counter()
        for start in range(0, args.images, args.batch):
            run(images[start : start + args.batch])
        seconds.append(time.perf_counter() - begun)
    return {
        "images_per_s": args.images / statistics.median(seconds),
        "seconds": statistics.median(seconds),
        "each_s": seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "images": args.images,
        "batch": args.batch,
        "threads": torch.get_num_threads(),
        "device": args.device,
        "torch": torch.__version__,
        "torch_fidelity": torch_fidelity.__version__,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, value in dict(images=200, batch=50, repeat=1).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    if args.threads:
        torch.set_num_threads(args.threads)
    result = measure(args)
    print(json.dumps(result) if args.json else f"{result['images_per_s']:.2f} images/s")


if __name__ == "__main__":
    main()
