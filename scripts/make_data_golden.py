#!/usr/bin/env python3
"""Small CIFAR-10 files as Python's own writers make them, for autogan-data's readers.

Run: python3 -m venv VENV && VENV/bin/pip install Pillow numpy pyarrow
     VENV/bin/python scripts/make_data_golden.py
Writes tests/golden/data/cifar10.{p0,p1,p2,p3,p4,p5}.pickle (p3 and p5 in Fortran order), the same
images as other programs might write them (see `others`), and cifar10.parquet (snappy, PNG, the
hub's columns). Two images; pixel j of image i is
(i * 37 + j // 5) % 256, counted over planes [3, 32, 32]; the labels are 7 and 3.
"""

import io
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

OUT = Path(__file__).resolve().parent.parent / "tests" / "golden" / "data"
LABELS = [7, 3]


def others(data):
    """Protocol and batch by name."""
    images = data.reshape(-1, 3, 32, 32)
    numbers = [np.int64(label) for label in LABELS]
    return {
        "bytes2": (2, {b"labels": LABELS, b"data": data}),
        "bytes0": (0, {b"labels": tuple(LABELS), b"data": data}),
        "numbers": (4, OrderedDict(labels=numbers, data=images)),
        "array": (4, {"labels": np.array(LABELS, "<u4"), "data": np.ascontiguousarray(images.transpose(0, 2, 3, 1))}),
        "axes": (5, {"labels": np.array(LABELS), "data": images.transpose(0, 2, 3, 1)}),
        "rows": (3, {"labels": LABELS, "data": [data[0], bytearray(data[1])]}),
        "matrix": (2, {"labels": np.array(LABELS, ">i8"), "data": np.asfortranarray(data.astype(">i2")).view(np.matrix)}),
    }


def main() -> None:
    data = ((np.arange(2)[:, None] * 37 + np.arange(3072)[None, :] // 5) % 256).astype(np.uint8)
    OUT.mkdir(parents=True, exist_ok=True)
    for protocol in range(6):
        array = np.asfortranarray(data) if protocol in (3, 5) else data
        batch = {"batch_label": "two", "labels": LABELS, "data": array, "filenames": ["a", "b"]}
        with open(OUT / f"cifar10.p{protocol}.pickle", "wb") as file:
            pickle.dump(batch, file, protocol=protocol)
    for name, (protocol, batch) in others(data).items():
        with open(OUT / f"cifar10.{name}.pickle", "wb") as file:
            pickle.dump(batch, file, protocol=protocol)
    rows = []
    for image in data:
        png = io.BytesIO()
        Image.fromarray(image.reshape(3, 32, 32).transpose(1, 2, 0)).save(png, "PNG")
        rows.append({"bytes": png.getvalue(), "path": "x.png"})
    table = pa.table(
        {
            "img": pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            "label": pa.array(LABELS, pa.int64()),
        }
    )
    pq.write_table(table, OUT / "cifar10.parquet", compression="snappy")


if __name__ == "__main__":
    main()
