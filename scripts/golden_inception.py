"""Small golden values for Inception-v3 and its presets' resizing.

    pip install torch torchvision torch-fidelity pytorch-fid safetensors pillow
    python scripts/golden_inception.py tests/golden/inception

features.safetensors: three u8 images [3, 3, 20, 31] and what torch-fidelity, pytorch-fid and
clean-fid's steps (Pillow's bicubic, then torch-fidelity's network without its resize) make of them
with synthetic weights. spatial.safetensors: the features of sFID of these images, as ADM's evaluator
takes them: the first 7 channels behind the ReLU of TensorFlow's mixed_6/conv, which is Mixed_6d.branch1x1,
with the channels last. resize.safetensors: planes `from.CASE` and `to.KIND.CASE` of several sizes.

Weights: element i of the tensor NAME is f(u), u = splitmix64(fnv1a64(NAME) + (i + 1) * GAMMA) >> 40,
over 2^24: *.conv.weight (2u-1)·sqrt(6 / fan_in); *.bn.weight, *.bn.running_var 0.75 + 0.5u;
*.bn.bias, *.bn.running_mean 0.2·(u-0.5); fc.weight (2u-1)·0.5; fc.bias 4·(u-0.5).
"""

import os
import sys
import tempfile

import numpy as np
import torch
import torch_fidelity.feature_extractor_inceptionv3 as tfi
from PIL import Image
from pytorch_fid import inception as pfi
from safetensors.numpy import save_file
from synthetic import uniform
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

NAMES = ["64", "192", "768", "2048", "logits_unbiased", "logits"]
SIZES = [((7, 5), (13, 11)), ((13, 11), (7, 5)), ((40, 33), (9, 17)), ((9, 64), (31, 6)), ((8, 8), (8, 8)), ((1, 3), (5, 2))]


def tensor(name, shape):
    u = uniform(name, int(np.prod(shape)))
    if name.endswith("conv.weight"):
        v = (2 * u - 1) * np.sqrt(6.0 / np.prod(shape[1:]))
    elif name.endswith(("bn.weight", "running_var")):
        v = 0.75 + 0.5 * u
    elif name.endswith(("bn.bias", "running_mean")):
        v = 0.2 * (u - 0.5)
    else:
        v = (2 * u - 1) * 0.5 if name == "fc.weight" else 4 * (u - 0.5)
    return torch.from_numpy(v.astype(np.float32).reshape(shape))


def synthetic_weights():
    """The synthetic weights by name, and pytorch-fid's network with them."""
    net = pfi._inception_v3(num_classes=1008, aux_logits=False, weights=None)
    blocks = {"5b": pfi.FIDInceptionA(192, 32), "5c": pfi.FIDInceptionA(256, 64), "5d": pfi.FIDInceptionA(288, 64)}
    blocks |= {f"6{s}": pfi.FIDInceptionC(768, c) for s, c in zip("bcde", (128, 160, 160, 192))}
    blocks |= {"7b": pfi.FIDInceptionE_1(1280), "7c": pfi.FIDInceptionE_2(2048)}
    for name, block in blocks.items():
        setattr(net, f"Mixed_{name}", block)
    state = {k: v if "num_batches" in k else tensor(k, tuple(v.shape)) for k, v in net.state_dict().items()}
    net.load_state_dict(state)
    return state, net


def torch_fidelity_extractor(state, names):
    """torch-fidelity's network with these weights, which it takes from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "synthetic.pth")
        torch.save(state, path)
        return tfi.FeatureExtractorInceptionV3("synthetic", names, feature_extractor_weights_path=path).eval()


def networks():
    """torch-fidelity's extractor and pytorch-fid's, both with the synthetic weights."""
    state, net = synthetic_weights()
    extractor = torch_fidelity_extractor(state, NAMES)
    pfi.fid_inception_v3 = lambda: net
    return extractor, pfi.InceptionV3([0, 1, 2, 3]).eval()


def bicubic(plane, to):
    return np.asarray(Image.fromarray(plane).resize((to[1], to[0]), Image.BICUBIC), np.float32)


def pictures():
    y, x = np.mgrid[0:20, 0:31]
    images = np.stack([[(x * (k + 3) + y * (c + 2) * 5 + 40 * ((x // 6 + y // 5 + k) % 3)) % 256 for c in range(3)] for k in range(3)])
    return torch.from_numpy(images.astype(np.uint8))


def spatial(folder):
    extractor, found = torch_fidelity_extractor(synthetic_weights()[0], NAMES), []
    extractor.Mixed_6d.branch1x1.register_forward_hook(lambda *call: found.append(call[2]))
    extractor(pictures())
    values = found[0].permute(0, 2, 3, 1)[..., :7].flatten(1)
    save_file({"torch_fidelity.spatial": np.ascontiguousarray(values.numpy())}, f"{folder}/spatial.safetensors")


def features(folder):
    extractor, port = networks()
    images = pictures()
    out = {"images": images}
    out |= {f"torch_fidelity.{n}": v for n, v in zip(NAMES, extractor(images))}
    for n, v in zip(NAMES, port(images.float() / 255)):
        out[f"pytorch_fid.{n}"] = torch.nn.functional.adaptive_avg_pool2d(v, 1).flatten(1)
    clean = np.stack([[bicubic(p.astype(np.float32), (299, 299)) for p in image] for image in images.numpy()])
    tfi.interpolate_bilinear_2d_like_tensorflow1x = lambda *_, **__: torch.from_numpy(clean).clip(0, 255)
    out |= {f"clean.{n}": v for n, v in zip(NAMES, extractor(images))}
    save_file({k: np.ascontiguousarray(v.numpy()) for k, v in out.items()}, f"{folder}/features.safetensors")


def resizes(folder):
    out = {}
    for case, (size, to) in enumerate(SIZES):
        plane = (uniform(f"plane{case}", size[0] * size[1]) * 255).astype(np.float32).reshape(size)
        batch = torch.from_numpy(plane)[None, None]
        out[f"from.{case}"] = plane
        out[f"to.bicubic.{case}"] = bicubic(plane, to)
        out[f"to.half_pixel.{case}"] = torch.nn.functional.interpolate(batch, to, mode="bilinear", align_corners=False)[0, 0].numpy()
        out[f"to.tf1.{case}"] = interpolate_bilinear_2d_like_tensorflow1x(batch, size=to, align_corners=False)[0, 0].numpy()
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, f"{folder}/resize.safetensors")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    os.makedirs(sys.argv[1], exist_ok=True)
    resizes(sys.argv[1])
    features(sys.argv[1])
    spatial(sys.argv[1])
