"""Small .pth files in both containers of torch.save, and what PyTorch reads from them.

    pip install torch numpy safetensors
    python scripts/golden_weights.py tests/golden/weights

For each NAME: NAME_zip.pth, NAME_legacy.pth, and NAME.safetensors with the tensors under flattened
names (booleans as uint8) and the numbers and texts as metadata. Also beside_KIND.pth, weights of a wrapped network with
what people keep beside them; KIND is a container or, for p4, pickle protocol 4. Written with PyTorch 2.
"""

import argparse
import datetime
import os
import pathlib
import sys
from collections import Counter, OrderedDict, defaultdict

import numpy as np
import torch
from safetensors.torch import save_file


def state_dict(module):
    """A module's state dict as torch.save sees it, with its `_metadata` attribute."""
    state = module.state_dict()
    assert hasattr(state, "_metadata")
    return state


def checkpoint():
    """The shape of a released AutoGAN checkpoint: two generators, an optimiser, numbers."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.0, 0.9))
    net(torch.randn(2, 2, 4, 4)).square().mean().backward()
    optimiser.step()
    shared = state_dict(net)
    averaged = OrderedDict((k, v.clone() * 2 if v.is_floating_point() else v) for k, v in shared.items())
    return {
        "epoch": 7,
        "best_fid": np.float64(12.4375),
        "lr_now": 1.5e-7,
        "steps": np.int64(-3),
        "single": np.float32(0.5),
        "name": "autogan",
        "seed": -(2**40),
        "done": False,
        "none": None,
        "gen_state_dict": shared,
        "avg_gen_state_dict": averaged,
        "gen_optimizer": optimiser.state_dict(),
    }


def types():
    """Every element type that is read, a scalar and an empty tensor."""
    ramp = torch.arange(-3, 5)
    names = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16"]
    out = OrderedDict((n, (ramp * 1.25 if "float" in n else ramp * 300).to(getattr(torch, n))) for n in names)
    out["uint8"] = torch.arange(0, 256, 51, dtype=torch.uint8)
    out["bool"] = torch.tensor([True, False, True])
    out["scalar"] = torch.tensor(41)
    out["empty"] = torch.zeros(0, 3)
    return out


def views():
    """Tensors that share a storage, or whose elements do not lie in row-major order."""
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    return OrderedDict(
        base=base,
        tail=base.flatten()[20:],
        transposed=base.permute(2, 0, 1),
        every_second=base[:, :, ::2],
        column=base[1, :, 2],
        expanded=base[:1, :1, :1].expand(3, 2, 1),
        channels_last=torch.arange(16.0).reshape(1, 2, 2, 4).to(memory_format=torch.channels_last),
        parameter=torch.nn.Parameter(torch.tensor([1.5, -2.5])),
    )


class Settings(dict):
    """A dictionary with a class of its own, which no reader has."""


def beside():
    """Weights of a wrapped network, and what is no tensor or one of a type that is not read."""
    net = OrderedDict((f"module._orig_mod.{i}.weight", torch.full((2, 2), float(i))) for i in range(2))
    return {
        "gen_state_dict": net,
        "averaged": OrderedDict([("n_averaged", torch.tensor(3))] + [(f"module.{k}", v) for k, v in net.items()]),
        "scheduler": {"milestones": Counter([3, 5, 5]), "settings": Settings(lr=0.5), "groups": defaultdict(list)},
        "epoch": 3,
        "keys": {(1, "a"): 3, None: 4, True: 5},
        "set": {7},
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "complex": 1 + 2j,
        "large_int": 10**30,
        "namespace": argparse.Namespace(lr=1, mask=torch.ones(2)),
        "path": pathlib.PurePosixPath("x"),
        "date": datetime.datetime(2020, 1, 1),
        "array": np.zeros((2, 3)),
        "big_endian": np.array([2.5], dtype=">f8")[0],
        "slice": slice(1, 2),
        "function": torch.nn.functional.relu,
        "int8": torch.ones(3, dtype=torch.int8),
        "complex64": torch.ones(3, dtype=torch.complex64),
        "sparse": torch.eye(2).to_sparse(),
        "last": torch.tensor([1.5, 2.5]),
    }


def flatten(value, name, tensors, notes):
    if isinstance(value, torch.Tensor):
        value = value.detach()
        value = value.to(torch.uint8) if value.dtype == torch.bool else value
        tensors[name] = value.contiguous().clone()
    elif isinstance(value, dict):
        for k, v in value.items():
            flatten(v, f"{name}.{k}" if name else str(k), tensors, notes)
    elif isinstance(value, (list, tuple)):
        for i, v in enumerate(value):
            flatten(v, f"{name}.{i}", tensors, notes)
    elif isinstance(value, bool):
        notes[name] = str(value).lower()
    elif isinstance(value, np.generic):
        flatten(value.item(), name, tensors, notes)
    elif isinstance(value, float):
        notes[name] = repr(value).replace("e-0", "e-")  # as Rust prints it
    elif value is not None:
        notes[name] = str(value)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    for name, value in [("checkpoint", checkpoint()), ("types", types()), ("views", views())]:
        torch.save(value, f"{folder}/{name}_zip.pth")
        torch.save(value, f"{folder}/{name}_legacy.pth", _use_new_zipfile_serialization=False)
        tensors, notes = {}, {}
        flatten(value, "", tensors, notes)
        save_file(tensors, f"{folder}/{name}.safetensors", metadata=notes)
    torch.save(beside(), f"{folder}/beside_zip.pth")
    torch.save(beside(), f"{folder}/beside_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(beside(), f"{folder}/beside_p4.pth", pickle_protocol=4, _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
