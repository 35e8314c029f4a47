#!/usr/bin/env python3
"""The counterpart of `autogan bench supernet` in PyTorch: the same cycle, sizes, rules and output.

    pip install torch safetensors numpy
    python scripts/bench_supernet.py --stage 1 --archs FILE --json [--channels-last] [--device cuda:0]

A cycle is --n-critic D steps (hinge loss, one power iteration per forward pass of D, Adam), each with
the next architecture of FILE, and one G step with the last of them, followed by the step of the moving
average. The networks are those of golden_gan.py. What a careful user of PyTorch does is done here too:
fakes of a D step are made without a graph, and D takes no weight gradients in the G step. On a GPU the
clock is read when the GPU is done, cuDNN picks the fastest algorithm of each shape in warm-up cycles, and
convolutions are in f32 as ours are, not in TF32.
"""

import argparse
import copy
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F
from golden_gan import Discriminator, Generator, split_cells

LR, BETAS, EPS, EMA_DECAY, LATENT, BOTTOM = 2e-4, (0.0, 0.9), 1e-8, 0.999, 128, 4


def architectures(path, stage):
    """The released vectors of a file, one a line."""
    with open(path) as lines:
        archs = [[int(x) for x in line.replace(",", " ").split()] for line in lines if line.strip()]
    if not archs or any(len(split_cells(arch)) != stage + 1 for arch in archs):
        raise SystemExit(f"{path}: expected released vectors of stage {stage}, one a line")
    return archs


class Training:
    def __init__(self, args):
        torch.manual_seed(args.seed)
        self.args, self.layout = args, torch.channels_last if args.channels_last else torch.contiguous_format
        self.g = Generator(LATENT, args.gf, BOTTOM).to(args.device, memory_format=self.layout).train()
        self.d = Discriminator(args.df).to(args.device, memory_format=self.layout).train()
        for module in self.g.modules():
            if isinstance(module, (torch.nn.Conv2d, torch.nn.BatchNorm2d)):
                init = torch.nn.init.xavier_uniform_ if module.weight.dim() == 4 else lambda w: torch.nn.init.normal_(w, 1.0, 0.02)
                init(module.weight)
        self.average = copy.deepcopy(self.g)
        self.adam_g = torch.optim.Adam(self.g.parameters(), LR, BETAS, EPS)
        self.adam_d = torch.optim.Adam(self.d.parameters(), LR, BETAS, EPS)

    def latents(self, n):
        return torch.randn(n, LATENT, device=self.args.device)

    def d_step(self, arch, real):
        self.adam_d.zero_grad(set_to_none=True)
        with torch.no_grad():
            fake = self.g(self.latents(len(real)), arch)
        stage = self.args.stage
        loss = F.relu(1 - self.d(real, stage)).mean() + F.relu(1 + self.d(fake, stage)).mean()
        loss.backward()
        self.adam_d.step()
        return loss.item()

    def g_step(self, arch):
        self.adam_g.zero_grad(set_to_none=True)
        self.d.requires_grad_(False)
        loss = -self.d(self.g(self.latents(self.args.g_batch), arch), self.args.stage).mean()
        loss.backward()
        self.d.requires_grad_(True)
        self.adam_g.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.g.parameters()), 1 - EMA_DECAY)
            for average, live in zip(self.average.buffers(), self.g.buffers()):
                average.copy_(live)
        return loss.item()


def measure(args):
    archs = architectures(args.archs, args.stage)
    training, turn, cycles = Training(args), 0, []
    side = BOTTOM * 2 ** (args.stage + 1)
    real = [torch.rand(args.d_batch, 3, side, side) * 2 - 1 for _ in range(args.n_critic)]
    real = [x.to(args.device).contiguous(memory_format=training.layout) for x in real]
    gpu = torch.device(args.device).type == "cuda"
    # A GPU meets each architecture once before it is timed, as cuDNN tries its algorithms then.
    warm_up = 1 + gpu * -(-len(archs) // args.n_critic)
    for _ in range(warm_up + args.cycles):
        if gpu:
            torch.cuda.synchronize(args.device)
        begun, d_loss = time.perf_counter(), 0.0
        for x in real:
            d_loss += training.d_step(archs[turn % len(archs)], x) / args.n_critic
            turn += 1
        g_loss = training.g_step(archs[(turn - 1) % len(archs)])
        if gpu:
            torch.cuda.synchronize(args.device)
        cycles.append((time.perf_counter() - begun, d_loss, g_loss))
    seconds, d_loss, g_loss = zip(*cycles[warm_up:])
    return {
        "images_per_s": args.n_critic * args.d_batch / statistics.median(seconds),
        "cycle_s": seconds,
        "d_loss": d_loss,
        "g_loss": g_loss,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "stage": args.stage,
        "threads": torch.get_num_threads(),
        "device": args.device,
        "layout": "channels-last" if args.channels_last else "default",
        "torch": torch.__version__,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--stage", type=int, required=True, choices=(0, 1, 2))
    parser.add_argument("--archs", required=True)
    sizes = dict(gf=128, df=64, d_batch=64, g_batch=128, n_critic=5, cycles=5, seed=0)
    for name, value in sizes.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    result = measure(args)
    if args.json:
        print(json.dumps(result))
    else:
        print(f"stage {args.stage}, {result['layout']}: {result['images_per_s']:.1f} images/s, peak {result['peak_mib']:.0f} MiB")


if __name__ == "__main__":
    main()
