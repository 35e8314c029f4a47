"""Golden values for DINOv2, CLIP and CIFAR-10's residual networks, and a comparison at full size.

    pip install torch torchvision transformers safetensors pillow
    python scripts/golden_transformers.py golden tests/golden/transformers
    python scripts/golden_transformers.py compare --program target/release/examples/features \\
        --cifar path/to/test_batch.bin [--dinov2 path/to/a/checkout/of/facebookresearch/dinov2] [NAME...]
    python scripts/golden_transformers.py picks path/to/cifar10 picks/

golden: networks of reduced sizes with synthetic weights see the pictures of `pictures`. CASE.SIZE.features and .logits
are what PyTorch makes of them, CASE.SIZE.input every 29th row and column of the prepared pictures.

compare: whole networks with random weights see pictures made of CIFAR-10's; `cargo build --release -p autogan-metrics
--example features` builds the program. It fails where features differ by more than 1e-4 or inputs by more than 1e-5,
relative to the largest magnitude. With a checkout of Meta's code DINOv2 is that code, and its own format of weights.

picks: the 512 training and 512 test images of CIFAR-10 for which the README of dgm-eval prints scores.

Weights: element i of the tensor NAME (as in the published file) is f(u), u = synthetic.uniform(NAME)[i]:
norms' weight and running_var 0.75 + 0.5u; lambda 0.5 + u; bias and running_mean 0.2·(u-0.5); class tokens and
positions u-0.5; all else (2u-1)·sqrt(3 / fan_in), but sqrt(6 / fan_in) for convolutions of residual networks.
"""

import argparse
import os
import re
import subprocess
import tempfile

import numpy as np
import torch
import torchvision.transforms as transforms
from PIL import Image
from safetensors.numpy import load_file, save_file
from synthetic import uniform
from torch import nn
from torch.nn import functional as F
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, Dinov2Config, Dinov2Model

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
DINOV2 = {"dinov2-vits14": (384, 12, 6), "dinov2-vitb14": (768, 12, 12), "dinov2-vitl14": (1024, 24, 16)}
# width, depth, heads, patch, side, features
CLIPS = {"clip-vit-b32": (768, 12, 12, 32, 224, 512), "clip-vit-l14-336": (1024, 24, 16, 14, 336, 768)}


def tensor(name, shape, gain=3.0):
    u = uniform(name, int(np.prod(shape)))
    if "lambda" in name:
        v = 0.5 + u
    elif re.search(r"cls_token|position_embedding|class_embedding", name):
        v = u - 0.5
    elif name.endswith(("bias", "running_mean")):
        v = 0.2 * (u - 0.5)
    elif len(shape) == 1:
        v = 0.75 + 0.5 * u
    else:
        v = (2 * u - 1) * np.sqrt(gain / np.prod(shape[1:]))
    return v.astype(np.float32).reshape(shape)


def meta_positions(self, tokens, height, width):
    """Interpolates as Meta's code does, which dgm-eval runs: `transformers` interpolates to a size instead."""
    grid = int((self.position_embeddings.shape[1] - 1) ** 0.5)
    square = self.position_embeddings[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    factors = [(length // self.patch_embeddings.patch_size[0] + 0.1) / grid for length in (height, width)]
    square = F.interpolate(square, scale_factor=factors, mode="bicubic")
    return torch.cat((self.position_embeddings[:, :1], square.flatten(2).transpose(1, 2)), 1)


def dinov2(width, depth, heads):
    sizes = {"hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": heads}
    return Dinov2Model(Dinov2Config(patch_size=14, image_size=518, **sizes)).eval()


def clip(width, depth, heads, patch, side, outputs):
    sizes = {"hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": heads, "projection_dim": outputs}
    sizes |= {"intermediate_size": 4 * width, "patch_size": patch, "image_size": side}
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes)).eval()


def features(model, batch):
    if isinstance(model, CLIPVisionModelWithProjection):
        found = model(pixel_values=batch).image_embeds
        return found / torch.linalg.norm(found, axis=-1, keepdims=True)
    if isinstance(model, Dinov2Model):
        return model(pixel_values=batch).last_hidden_state[:, 0]
    return model(batch)


def prepare_dinov2(image):
    """`dgm_eval/models/dinov2.py`, without --clean_resize."""
    resize = transforms.Resize((224, 224), transforms.InterpolationMode.BICUBIC)
    return transforms.Compose([resize, transforms.ToTensor(), transforms.Normalize(*IMAGENET)])(image)


def prepare_clip(side):
    def prepare(image):
        """`cmmd/io_util.py` and `cmmd/embedding.py`, whose second resize changes nothing."""
        w, h = image.size
        short = min(w, h)
        left, top = (w - short) // 2, (h - short) // 2
        square = image.crop((left, top, left + short, top + short)).resize((side, side), Image.BICUBIC)
        return transforms.Normalize(*CLIP)(torch.from_numpy(np.asarray(square) / np.float32(255)).permute(2, 0, 1))

    return prepare


class ResNet(nn.Module):
    """A residual network of CIFAR-10, under the names of akamaster/pytorch_resnet_cifar10."""

    def __init__(self, layers):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        inputs = 16
        for stage, outputs in enumerate((16, 32, 64), 1):
            blocks = nn.ModuleList()
            for i in range((layers - 2) // 6):
                block = nn.Module()
                stride = 2 if stage > 1 and i == 0 else 1
                block.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
                block.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
                block.bn1, block.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
                blocks.append(block)
                inputs = outputs
            self.add_module(f"layer{stage}", blocks)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for block in [*self.layer1, *self.layer2, *self.layer3]:
            y = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(x)))))
            if block.conv1.stride == (2, 2):
                quarter = y.shape[1] // 4
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))
            x = F.relu(x + y)
        return x.mean((2, 3))


def prepare_resnet(images):
    unit = torch.from_numpy(images).float() / 255
    unit = F.interpolate(unit, (32, 32), mode="bilinear", align_corners=False)
    return transforms.Normalize(*IMAGENET)(unit)


def pictures(h, w):
    """Three pictures [3, 3, h, w] of bytes."""
    y, x = np.mgrid[0:h, 0:w]
    one = lambda k, c: (x * (k + 3) + y * (c + 2) * 5 + 40 * ((x // 6 + y // 5 + k) % 3)) % 256
    return np.stack([[one(k, c) for c in range(3)] for k in range(3)]).astype(np.uint8)


def prepared(prepare, images):
    return torch.stack([prepare(Image.fromarray(image.transpose(1, 2, 0))) for image in images])


def with_synthetic_weights(model):
    """The model from a file as `transformers` publishes it."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        path = f"{folder}/model.safetensors"
        save_file({k: tensor(k, v.shape) for k, v in load_file(path).items()}, path, {"format": "pt"})
        return type(model).from_pretrained(folder).eval()


def golden(folder):
    out = {}
    small = with_synthetic_weights(dinov2(24, 2, 3))
    small.embeddings.interpolate_pos_encoding = meta_positions.__get__(small.embeddings)
    cases = {"dinov2": (small, prepare_dinov2)}
    cases["clip"] = (with_synthetic_weights(clip(32, 2, 4, 32, 224, 12)), prepare_clip(224))
    for size in [(20, 31), (260, 300), (224, 224)]:
        label = "x".join(map(str, size))
        for case, (model, prepare) in cases.items():
            batch = prepared(prepare, pictures(*size))
            out[f"{case}.{label}.input"] = batch[:, :, ::29, ::29]
            out[f"{case}.{label}.features"] = features(model, batch)
    for layers in (20, 56):
        network = ResNet(layers).eval()
        gain = lambda name: 6.0 if "conv" in name else 3.0
        state = {k: torch.from_numpy(tensor(k, v.shape, gain(k))) for k, v in network.state_dict().items() if v.ndim}
        network.load_state_dict(state, strict=False)
        for size in [(32, 32), (20, 31)]:
            found = network(prepare_resnet(pictures(*size)))
            label = f"resnet{layers}." + "x".join(map(str, size))
            out |= {f"{label}.features": found, f"{label}.logits": network.linear(found)}
    out = {k: np.ascontiguousarray(v.numpy()) for k, v in out.items()}
    save_file(out, f"{folder}/features.safetensors")


def cifar(path, indices):
    records = np.fromfile(path, np.uint8).reshape(-1, 3073)[indices, 1:]
    return records.reshape(-1, 3, 32, 32)


def real_pictures(path):
    """Pictures of CIFAR-10 as they are, and 6 by 9 and 15 by 11 of them beside each other."""
    images = cifar(path, slice(0, 800))
    tiles = lambda part, rows, columns: part.reshape(-1, rows, columns, 3, 32, 32).transpose(0, 3, 1, 4, 2, 5)
    out = {"cifar": images[:6]}
    for rows, columns in [(6, 9), (15, 11)]:
        tiled = tiles(images[: 2 * rows * columns], rows, columns)
        out[f"tiles{rows}x{columns}"] = tiled.reshape(2, 3, 32 * rows, 32 * columns)
    return {k: np.ascontiguousarray(v) for k, v in out.items()}


def random_weights(model):
    """Random weights of the sizes that trained ones have: no scale is 1, and no bias 0."""
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if weight.ndim == 1:
            centre, spread = (0.0, 0.1) if name.endswith(("bias", "class_embedding")) else (1.0, 0.2)
            weight.data = centre + spread * torch.randn_like(weight)
        else:
            weight.data = torch.randn_like(weight) * (0.02 if "token" in name or "pos" in name else weight[0].numel() ** -0.5)
    return model


def compare(options):
    names = options.names or [*DINOV2, *CLIPS]
    images = real_pictures(options.cifar)
    worst = {"input": (0.0, 1e-5), "features": (0.0, 1e-4)}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            weights, pictures_file, found = (f"{folder}/{n}" for n in ("weights", "pictures.safetensors", "found.safetensors"))
            save_file(images, pictures_file)
            if name in CLIPS:
                model, prepare = random_weights(clip(*CLIPS[name])), prepare_clip(CLIPS[name][4])
            elif options.dinov2:
                hub = torch.hub.load(options.dinov2, name.replace("-", "_"), source="local", pretrained=False)
                model, prepare = random_weights(hub.eval()), prepare_dinov2
            else:
                model, prepare = random_weights(dinov2(*DINOV2[name])), prepare_dinov2
                model.embeddings.interpolate_pos_encoding = meta_positions.__get__(model.embeddings)
            if hasattr(model, "save_pretrained"):
                model.save_pretrained(folder)
                weights = f"{folder}/model.safetensors"
            else:
                torch.save(model.state_dict(), weights)
            subprocess.run([options.program, name, weights, pictures_file, found], check=True)
            found = load_file(found)
            for kind, picture in images.items():
                batch = prepared(prepare, picture)
                for what, expected in {"input": batch, "features": features(model, batch)}.items():
                    expected = expected.numpy()
                    gap = np.abs(found[f"{kind}.{what}"] - expected).max() / np.abs(expected).max()
                    print(f"{name} {kind} {what}: {gap:.1e}")
                    worst[what] = (max(worst[what][0], gap), worst[what][1])
    for what, (gap, limit) in worst.items():
        print(f"largest difference of {what}: {gap:.1e} (limit {limit})")
    if any(not gap < limit for gap, limit in worst.values()):
        raise SystemExit("FAILED")


def picks(options):
    os.makedirs(options.out, exist_ok=True)
    for split, count in (("train", 50_000), ("test", 10_000)):
        np.random.seed(13579)
        chosen = sorted(np.random.choice(count, 512, replace=False))
        files = [f"data_batch_{i}.bin" for i in range(1, 6)] if split == "train" else ["test_batch.bin"]
        images = np.concatenate([cifar(f"{options.cifar10}/{name}", slice(None)) for name in files])
        np.savez(f"{options.out}/{split}.npz", images=images[chosen].transpose(0, 2, 3, 1))


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("golden").add_argument("folder")
    comparing = commands.add_parser("compare")
    comparing.add_argument("names", nargs="*", metavar="NAME")
    comparing.add_argument("--program", required=True)
    comparing.add_argument("--cifar", required=True)
    comparing.add_argument("--dinov2")
    picking = commands.add_parser("picks")
    picking.add_argument("cifar10")
    picking.add_argument("out")
    asked = parser.parse_args()
    if asked.command == "golden":
        os.makedirs(asked.folder, exist_ok=True)
        golden(asked.folder)
    elif asked.command == "compare":
        compare(asked)
    else:
        picks(asked)
