#!/usr/bin/env python3
"""Golden values for `autogan-nn`, made with PyTorch in float64.

Writes one safetensors file per architecture to `tests/golden/gan` (or to the
directory given as --out). Each file holds everything that the test needs to
repeat two iterations of three discriminator steps each: starting weights, inputs,
and what PyTorch makes of them. The networks are written out here from their
description in section 3 of the AutoGAN paper (Gong et al., ICCV 2019); parameter
names and the skip tap (after the add) are those of the released code.

    pip install torch safetensors numpy
    python scripts/golden_gan.py                 # rewrites tests/golden/gan
    python scripts/golden_gan.py --verify DIR    # recompute every file of DIR
    python scripts/golden_gan.py --arch "0 1 2 1" --seed 7 --width 16 --out DIR

Starting values are float32 numbers, the arithmetic is float64, results are
stored as float32.
"""

import argparse
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils import spectral_norm

# name of the file: architecture, seed, widths and the smallest side
CASES = [
    dict(arch=[0, 1, 2, 1], seed=11, width=8, df=4, latent=5, bottom=3),
    dict(arch=[1, 2, 1, 0, 0, 1, 0, 1, 1], seed=12, width=6, df=4, latent=6, bottom=3),
    dict(arch=[1, 1, 2, 1, 0, 2, 0, 1, 1, 1, 1, 2, 0, 3], seed=13, width=6, df=4, latent=7, bottom=2),
]
ITERATIONS, D_STEPS = 2, 3
BATCH_D, BATCH_G, BATCH_EVAL = 4, 5, 3
LR, BETAS, EPS = 2e-4, (0.0, 0.9), 1e-8


def split_cells(vector):
    """Released vector -> one tuple (conv, norm, up, shortcut, skip mask) per cell."""
    cells = [tuple(vector[:4]) + (0,)]
    cells += [tuple(vector[i : i + 5]) for i in range(4, len(vector), 5)]
    return cells


def resize(x, factor, up):
    if up == 0:
        return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    return F.interpolate(x, scale_factor=factor, mode="nearest")


class Half(nn.Module):
    """One of the two convolutions of a cell with its norm and its deconvolution."""

    def __init__(self, width, post):
        super().__init__()
        self.post = post
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.bn = nn.BatchNorm2d(width)
        self.deconv = nn.ConvTranspose2d(width, width, 2, stride=2)

    def forward(self, x, norm, up):
        if self.post:
            return F.relu(self.normed(self.conv(self.upsampled(x, up)), norm))
        return self.conv(self.upsampled(F.relu(self.normed(x, norm)), up))

    def normed(self, x, norm):
        if norm == 1:
            return self.bn(x)
        if norm == 2:
            return F.instance_norm(x)
        return x

    def upsampled(self, x, up):
        if up is None:
            return x
        return self.deconv(x) if up == 2 else resize(x, 2, up)


class Cell(nn.Module):
    def __init__(self, width, earlier):
        super().__init__()
        self.post_conv1, self.post_conv2 = Half(width, True), Half(width, True)
        self.pre_conv1, self.pre_conv2 = Half(width, False), Half(width, False)
        self.deconv_sc = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.c_sc = nn.Conv2d(width, width, 1)
        self.skip_deconvx2 = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.skip_deconvx4 = nn.Sequential(
            nn.ConvTranspose2d(width, width, 2, stride=2), nn.ConvTranspose2d(width, width, 2, stride=2)
        )
        if earlier:
            self.skip_in_ops = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(earlier))

    def forward(self, x, taps, arch):
        conv, norm, up, shortcut, mask = arch
        first, second = (
            (self.post_conv1, self.post_conv2) if conv == 0 else (self.pre_conv1, self.pre_conv2)
        )
        h = first(x, norm, up)
        for i, tap in enumerate(taps):
            if not mask >> (len(taps) - 1 - i) & 1:
                continue
            factor = h.shape[-1] // tap.shape[-1]
            if up == 2:
                tap = self.skip_deconvx2(tap) if factor == 2 else self.skip_deconvx4(tap)
            else:
                tap = resize(tap, factor, up)
            h = h + self.skip_in_ops[i](tap)
        out = second(h, norm, None)
        if shortcut:
            out = out + self.c_sc(self.deconv_sc(x) if up == 2 else resize(x, 2, up))
        return out, h


class Generator(nn.Module):
    def __init__(self, latent, width, bottom):
        super().__init__()
        self.width, self.bottom = width, bottom
        self.l1 = nn.Linear(latent, width * bottom * bottom)
        self.cell1, self.cell2, self.cell3 = Cell(width, 0), Cell(width, 1), Cell(width, 2)
        self.to_rgb = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, z, arch):
        x = self.l1(z).view(-1, self.width, self.bottom, self.bottom)
        taps = []
        for cell, choice in zip((self.cell1, self.cell2, self.cell3), split_cells(arch)):
            x, tap = cell(x, taps, choice)
            taps.append(tap)
        return torch.tanh(self.to_rgb(x))


class Block(nn.Module):
    def __init__(self, c_in, c_out, first=False, down=False):
        super().__init__()
        self.first, self.down = first, down
        self.c1 = spectral_norm(nn.Conv2d(c_in, c_out, 3, padding=1))
        self.c2 = spectral_norm(nn.Conv2d(c_out, c_out, 3, padding=1))
        if down:
            self.c_sc = spectral_norm(nn.Conv2d(c_in, c_out, 1))

    def forward(self, x):
        h = self.c2(F.relu(self.c1(x if self.first else F.relu(x))))
        if not self.down:
            return h + x
        h = F.avg_pool2d(h, 2)
        if self.first:
            return h + self.c_sc(F.avg_pool2d(x, 2))
        return h + F.avg_pool2d(self.c_sc(x), 2)


class Discriminator(nn.Module):
    def __init__(self, df):
        super().__init__()
        self.block1 = Block(3, df, first=True, down=True)
        self.block2 = Block(df, df, down=True)
        self.block3, self.block4 = Block(df, df), Block(df, df)
        self.l5 = spectral_norm(nn.Linear(df, 1, bias=False))

    def forward(self, x, stage):
        for block in (self.block1, self.block2, self.block3)[: stage + 1]:
            x = block(x)
        return self.l5(F.relu(self.block4(x)).sum(dim=(2, 3)))


def initialise(net):
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(getattr(module, "weight_orig", module.weight))
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)


def settle(net):
    """20 power iterations, so that sigma is the true norm from the start."""
    for module in net.modules():
        if hasattr(module, "weight_orig"):
            w = module.weight_orig.detach().double().flatten(1)
            u = module.weight_u.double()
            for _ in range(20):
                v = F.normalize(w.t() @ u, dim=0)
                u = F.normalize(w @ v, dim=0)
            module.weight_u.copy_(u)
            module.weight_v.copy_(v)


def state(net, prefix):
    return {f"{prefix}.{k}": v.detach().clone() for k, v in net.state_dict().items()}


def starting_point(case):
    """Weights and inputs in float32, from the case's seed."""
    torch.manual_seed(case["seed"])
    g = Generator(case["latent"], case["width"], case["bottom"])
    d = Discriminator(case["df"])
    initialise(g), initialise(d), settle(d)
    stage = len(split_cells(case["arch"])) - 1
    side, steps = case["bottom"] * 2 ** (stage + 1), ITERATIONS * D_STEPS
    return {
        "arch": torch.tensor(case["arch"]),
        "stage": torch.tensor([stage]),
        **state(g, "init.g"),
        **state(d, "init.d"),
        "real": torch.rand(steps, BATCH_D, 3, side, side) * 2 - 1,
        "z_d": torch.randn(steps, BATCH_D, case["latent"]),
        "z_g": torch.randn(ITERATIONS, BATCH_G, case["latent"]),
        "z_eval": torch.randn(BATCH_EVAL, case["latent"]),
    }


def build(start):
    """The two networks in float64 with the starting point's weights."""
    def part(prefix):
        return {k[len(prefix) :]: v for k, v in start.items() if k.startswith(prefix)}

    width, latent = start["init.g.to_rgb.2.weight"].shape[1], start["init.g.l1.weight"].shape[1]
    bottom = round((start["init.g.l1.weight"].shape[0] / width) ** 0.5)
    g = Generator(latent, width, bottom)
    d = Discriminator(start["init.d.l5.weight_orig"].shape[1])
    g.load_state_dict(part("init.g."))
    d.load_state_dict(part("init.d."))
    return g.double(), d.double()


def compute(start):
    arch, stage = start["arch"].tolist(), int(start["stage"][0])
    g, d = build(start)
    real, z_d, z_g, z_eval = (start[k].double() for k in ("real", "z_d", "z_g", "z_eval"))
    out = {}
    g.eval(), d.eval()
    with torch.no_grad():
        out["eval.images"] = g(z_eval, arch)
        out["eval.scores"] = d(out["eval.images"], stage)
    g.train(), d.train()
    adam_d = torch.optim.Adam(d.parameters(), LR, BETAS, EPS)
    adam_g = torch.optim.Adam(g.parameters(), LR, BETAS, EPS)
    d_losses, g_losses = [], []
    per_iteration = len(z_d) // len(z_g)
    for step in range(len(z_d)):
        adam_d.zero_grad(set_to_none=True)
        real_scores = d(real[step], stage)
        fake = g(z_d[step], arch).detach()
        loss = F.relu(1 - real_scores).mean() + F.relu(1 + d(fake, stage)).mean()
        loss.backward()
        if step == 0:
            out["step0.fake"], out["step0.real_scores"] = fake, real_scores
            out.update({f"step0.grad.d.{k}": p.grad.clone() for k, p in d.named_parameters() if p.grad is not None})
        adam_d.step()
        d_losses.append(loss)
        if step % per_iteration:
            continue
        adam_g.zero_grad(set_to_none=True)
        loss = -d(g(z_g[step // per_iteration], arch), stage).mean()
        loss.backward()
        if step == 0:
            out.update({f"step0.grad.g.{k}": p.grad.clone() for k, p in g.named_parameters() if p.grad is not None})
        adam_g.step()
        g_losses.append(loss)
    out["d_loss"], out["g_loss"] = torch.stack(d_losses), torch.stack(g_losses)
    out.update({**state(g, "final.g"), **state(d, "final.d")})
    g.eval()
    with torch.no_grad():
        out["final.images"] = g(z_eval, arch)
    return {k: (v.float() if v.is_floating_point() else v).detach().contiguous() for k, v in out.items()}


def verify(directory):
    """Recompute every file of a directory and print the largest differences."""
    for path in sorted(pathlib.Path(directory).glob("*.safetensors")):
        stored = load_file(path)
        worst = {}
        for key, value in compute(stored).items():
            assert value.shape == stored[key].shape, (path.name, key)
            group = ".".join(key.split(".")[:2])
            worst[group] = max(worst.get(group, 0.0), (value - stored[key]).abs().max().item())
        print(path.name, {k: f"{v:.1e}" for k, v in worst.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--out", type=pathlib.Path, default=root / "tests" / "golden" / "gan")
    parser.add_argument("--verify", type=pathlib.Path)
    parser.add_argument("--arch", help="one released vector instead of the built-in cases")
    for name, value in dict(seed=0, width=16, df=8, latent=12, bottom=4).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.verify:
        return verify(args.verify)
    cases = CASES
    if args.arch:
        vector = [int(x) for x in args.arch.replace(",", " ").split()]
        cases = [dict(arch=vector, seed=args.seed, width=args.width, df=args.df, latent=args.latent, bottom=args.bottom)]
    args.out.mkdir(parents=True, exist_ok=True)
    for case in cases:
        start = starting_point(case)
        path = args.out / ("arch_" + "_".join(map(str, case["arch"])) + ".safetensors")
        save_file({**start, **compute(start)}, path, metadata={"script": "scripts/golden_gan.py", "torch": torch.__version__})
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
