#!/usr/bin/env python3
"""The released checkpoints' formats: PyTorch writes them, `autogan` reads them and makes the same images.

    pip install torch safetensors numpy
    cargo build --release
    python scripts/check_released.py [--autogan target/release/autogan]
    python scripts/check_released.py --golden           # rewrites tests/golden/released

For AutoGAN's architectures A, B and C and E2GAN's, at the released sizes (gf 256, latent 128), with random weights and
batch-norm statistics of some batches: state dicts under the names of the released derived models and of the supernet,
plain, nested in a training checkpoint with both optimizers' state, with the `module.` of DataParallel, in the zip and
in the legacy container. Checked for each file:
  - the images of `autogan sample` are those of PyTorch in evaluation mode, to 1e-5;
  - `autogan export --safetensors` holds the same tensors, the architecture and the skip-tap rule, and samples alone
    to the same bytes; `--pth --names derived` loads strictly into the PyTorch class;
  - without a tensor, and with one of another shape, the error names it with what was expected and found.
The networks are written out here and in golden_gan.py from their description; the names are those of
VITA-Group/AutoGAN at a5eeef0. Its derived models know no deconvolution and no post-activation, so E2GAN's architecture
comes under the supernet's names, as its authors' own checkpoints do. Ends with 1 when something differs.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F
from golden_gan import Discriminator, Generator, initialise, resize, split_cells
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parent.parent
ARCHS = {
    "a": [1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 3],
    "b": [1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 3],
    "c": [1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 3],
    "e2gan": [0, 1, 0, 1, 0, 1, 2, 1, 0, 0, 1, 0, 1, 2],
}
BOUND = 1e-5


class DerivedCell(nn.Module):
    """A pre-activation cell with the parts that its architecture uses, under the released derived names."""

    def __init__(self, width, choices):
        super().__init__()
        conv, norm, self.up, shortcut, mask = choices
        assert conv == 1 and norm < 2 and self.up < 2, "the released derived models have no more"
        self.c1, self.c2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.n1, self.n2 = (nn.BatchNorm2d(width), nn.BatchNorm2d(width)) if norm else (nn.Identity(), nn.Identity())
        self.c_sc = nn.Conv2d(width, width, 1) if shortcut else None
        if mask:
            self.skip_in_ops = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(bin(mask).count("1")))

    def forward(self, x, taps):
        h = self.c1(resize(F.relu(self.n1(x)), 2, self.up))
        for tap, op in zip(taps, getattr(self, "skip_in_ops", ())):
            h = h + op(resize(tap, h.shape[-1] // tap.shape[-1], self.up))
        out = self.c2(F.relu(self.n2(h)))
        if self.c_sc is not None:
            out = out + self.c_sc(resize(x, 2, self.up))
        return out, h


class DerivedGenerator(nn.Module):
    def __init__(self, latent, width, bottom, arch):
        super().__init__()
        self.width, self.bottom = width, bottom
        self.l1 = nn.Linear(latent, width * bottom * bottom)
        self.cell1, self.cell2, self.cell3 = (DerivedCell(width, choices) for choices in split_cells(arch))
        self.to_rgb = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1), nn.Tanh())

    def forward(self, z):
        x, taps = self.l1(z).view(-1, self.width, self.bottom, self.bottom), []
        for cell in (self.cell1, self.cell2, self.cell3):
            x, tap = cell(x, taps)
            taps.append(tap)
        return self.to_rgb(x)


class Supernet(Generator):
    """The supernet with its architecture set, as the released code uses it."""

    def __init__(self, latent, width, bottom, arch):
        super().__init__(latent, width, bottom)
        self.arch = arch

    def forward(self, z):
        return super().forward(z, self.arch)


def trained(names, case, seed):
    """Generator, its average and their training checkpoint after one step of each optimizer."""
    torch.manual_seed(seed)
    make = {"derived": DerivedGenerator, "supernet": Supernet}[names]
    sizes = (case["latent"], case["width"], case["bottom"], ARCHS[case["arch"]])
    net, average, judge = make(*sizes), make(*sizes), Discriminator(case["df"])
    initialise(net), initialise(average), initialise(judge)
    adam_g = torch.optim.Adam(net.parameters(), 2e-4, (0.0, 0.9))
    adam_d = torch.optim.Adam(judge.parameters(), 2e-4, (0.0, 0.9))
    with torch.no_grad():
        for _ in range(5):
            average(torch.randn(16, case["latent"]))
    judge(net(torch.randn(8, case["latent"])), 2).mean().backward()
    adam_g.step(), adam_d.step()
    state = {
        "epoch": 320,
        "gen_model": f"autogan_cifar10_{case['arch']}",
        "dis_model": f"autogan_cifar10_{case['arch']}",
        "gen_state_dict": net.state_dict(),
        "dis_state_dict": judge.state_dict(),
        "avg_gen_state_dict": average.state_dict(),
        "gen_optimizer": adam_g.state_dict(),
        "dis_optimizer": adam_d.state_dict(),
        "best_fid": 12.42,
        "path_helper": {"prefix": "logs/x", "ckpt_path": "logs/x/Model", "log_path": "logs/x/Log"},
    }
    return average.eval(), state


def module(state):
    """With the prefix that DataParallel leaves."""
    nets = [key for key in state if key.endswith("_state_dict")]
    return {**state, **{key: {f"module.{name}": t for name, t in state[key].items()} for key in nets}}


def write(case, path):
    """The file of a case, with latents and PyTorch's images; gives the network."""
    net, state = trained(case["names"], case, case["seed"])
    if case["form"] == "plain":
        state = state["avg_gen_state_dict"]
    elif case["form"] == "module":
        state = module(state)
    torch.save(state, path, _use_new_zipfile_serialization=case["container"] == "zip")
    z = torch.randn(case["n"], case["latent"])
    with torch.no_grad():
        images = net(z)
    assert images.std() > 0.05, "the images say nothing"
    return net, {"z": z, "images": images, "arch": torch.tensor(ARCHS[case["arch"]])}


# The golden files: small, one of each kind.
SMALL = dict(width=4, df=4, latent=6, bottom=2, n=3)
GOLDEN = {
    "a_checkpoint": dict(arch="a", names="derived", form="checkpoint", container="zip", seed=21, **SMALL),
    "b_plain": dict(arch="b", names="derived", form="plain", container="legacy", seed=22, **SMALL),
    "c_module": dict(arch="c", names="derived", form="module", container="zip", seed=23, **SMALL),
    "e2gan_checkpoint": dict(arch="e2gan", names="supernet", form="checkpoint", container="legacy", seed=24, **SMALL),
}


def golden():
    folder = ROOT / "tests" / "golden" / "released"
    folder.mkdir(parents=True, exist_ok=True)
    for name, case in GOLDEN.items():
        _, values = write(case, folder / f"{name}.pth")
        metadata = {"script": "scripts/check_released.py", "torch": torch.__version__}
        save_file(values, folder / f"{name}.safetensors", metadata=metadata)
        print(folder / f"{name}.pth", (folder / f"{name}.pth").stat().st_size)


def cases():
    sizes = dict(width=256, df=32, latent=128, n=16)
    forms = [("plain", "legacy"), ("plain", "zip"), ("checkpoint", "legacy"), ("checkpoint", "zip"), ("module", "zip")]
    seed = 100
    for arch in ARCHS:
        for names in ("derived", "supernet"):
            if (arch, names) == ("e2gan", "derived"):
                continue
            for form, container in forms:
                seed += 1
                yield dict(arch=arch, names=names, form=form, container=container, bottom=4, seed=seed, **sizes)
    yield dict(arch="a", names="derived", form="plain", container="zip", bottom=6, seed=99, **sizes)


def autogan(args, *words):
    command = [str(args.autogan), *(str(word) for word in words)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def sampled(args, *words, out):
    done = autogan(args, "sample", *words, "--tensor-out", out)
    assert done.returncode == 0, done.stderr
    return load_file(out)["images"]


def check_images(args, scratch, case):
    """Images from the file and from its conversion; gives what differs."""
    path, z = scratch / "checkpoint.pth", scratch / "z.safetensors"
    net, values = write(case, path)
    save_file({"z": values["z"]}, z)
    arch = case["arch"]
    images = sampled(args, path, "--arch", arch, "--latents", z, out=scratch / "images.safetensors")
    worst = (images - values["images"]).abs().max().item()
    wrong = [] if worst <= BOUND else [f"images differ by {worst:.1e}"]

    converted, state = scratch / "converted.safetensors", scratch / "converted.pth"
    done = autogan(args, "export", path, "--arch", arch, "--safetensors", converted, "--pth", state, "--names", "derived", "--force")
    assert done.returncode == 0, done.stderr
    with safe_open(converted, "pt") as file:
        metadata = file.metadata()
    if metadata["autogan.arch"] != " ".join(map(str, ARCHS[arch])) or metadata["autogan.skip_tap"] != "after_add":
        wrong.append(f"metadata {metadata}")
    again = sampled(args, converted, "--latents", z, out=scratch / "again.safetensors")
    if not torch.equal(again, images):
        wrong.append("the converted file gives other images")
    if arch != "e2gan":
        back = DerivedGenerator(case["latent"], case["width"], case["bottom"], ARCHS[arch])
        back.load_state_dict(torch.load(state, weights_only=True))
        with torch.no_grad():
            if (back.eval()(values["z"]) - values["images"]).abs().max() > BOUND:
                wrong.append("PyTorch makes other images from --names derived")
    return worst, wrong


def check_errors(args, scratch):
    """A tensor that is missing, and one of another shape; gives the errors that do not say so."""
    wrong = []
    for names, name in (("derived", "cell2.c_sc.weight"), ("derived", "l1.weight"), ("supernet", "cell1.pre_conv1.conv.weight"), ("supernet", "to_rgb.2.weight")):
        case = dict(arch="b", names=names, bottom=4, seed=5, width=16, df=8, latent=12)
        for shape in (None, (7, 5)):
            _, state = trained(names, case, 5)
            if shape is None:
                del state["avg_gen_state_dict"][name]
            else:
                state["avg_gen_state_dict"][name] = torch.zeros(shape)
            torch.save(state, scratch / "damaged.pth")
            done = autogan(args, "sample", scratch / "damaged.pth", "--arch", "b", "--out", scratch / "x.png")
            told = [f"avg_gen_state_dict.{name}"] + (["expected", "[7, 5]"] if shape else [])
            if done.returncode != 1 or not all(part in done.stderr for part in told):
                wrong.append(f"{name} {shape}: exit {done.returncode}: {done.stderr.strip()}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--autogan", type=pathlib.Path, default=ROOT / "target" / "release" / "autogan")
    parser.add_argument("--golden", action="store_true", help="write tests/golden/released instead")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.golden:
        return golden()
    missed = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for case in cases():
            worst, wrong = check_images(args, scratch, case)
            what = " ".join(str(case[key]) for key in ("arch", "names", "form", "container")) + f" bottom {case['bottom']}"
            print(f"{what:40} {worst:.1e}  {'; '.join(wrong) or 'ok'}", flush=True)
            missed += wrong
        wrong = check_errors(args, scratch)
        print("damaged files:", "; ".join(wrong) or "each error names the tensor")
    if missed + wrong:
        sys.exit(1)


if __name__ == "__main__":
    main()
