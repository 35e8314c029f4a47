#!/usr/bin/env python3
"""Golden values for autogan-data's resize: what Pillow's Image.resize(.., BILINEAR) gives.

Run: python3 -m venv VENV && VENV/bin/pip install Pillow && VENV/bin/python scripts/make_resize_golden.py
Writes tests/golden/data/resize.txt. Input pixels come from a 64-bit linear congruential
generator that the test repeats, so only outputs are stored, as hexadecimal. Pillow 9.5 and 13.0
give the same for these sizes; where one axis grows and the other shrinks a lot, 13.0 swaps its
two passes, which moves some values by one, so no such size is here.
"""

from pathlib import Path

import PIL
from PIL import Image

OUT = Path(__file__).resolve().parent.parent / "tests" / "golden" / "data" / "resize.txt"

# (width, height) -> (width, height): the stages' sides, STL-10, odd ratios, growing, one axis.
SIZES = [
    ((32, 32), (8, 8)),
    ((32, 32), (16, 16)),
    ((32, 32), (5, 5)),
    ((32, 32), (31, 31)),
    ((96, 96), (48, 48)),
    ((96, 96), (12, 12)),
    ((96, 96), (32, 32)),
    ((7, 7), (32, 32)),
    ((50, 37), (24, 32)),
    ((17, 40), (17, 13)),
    ((40, 17), (13, 17)),
    ((23, 11), (64, 20)),
    ((1, 1), (4, 4)),
    ((64, 3), (1, 1)),
]


def pixels(seed: int, count: int, extreme: bool) -> bytes:
    """The test's input: the top byte of each state, or only 0 and 255 by its top bit."""
    state = seed
    out = bytearray()
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        top = state >> 56
        out.append((255 if top >= 128 else 0) if extreme else top)
    return bytes(out)


def main() -> None:
    lines = [
        f"# scripts/make_resize_golden.py, Pillow {PIL.__version__}",
        "# seed extreme from_w from_h to_w to_h planes(R then G then B, hexadecimal)",
    ]
    seed = 1
    for (fw, fh), (tw, th) in SIZES:
        for extreme in (False, True):
            raw = pixels(seed, 3 * fw * fh, extreme)
            image = Image.merge(
                "RGB",
                [Image.frombytes("L", (fw, fh), raw[c * fw * fh : (c + 1) * fw * fh]) for c in range(3)],
            )
            small = image.resize((tw, th), Image.Resampling.BILINEAR)
            planes = b"".join(channel.tobytes() for channel in small.split())
            lines.append(f"{seed} {int(extreme)} {fw} {fh} {tw} {th} {planes.hex()}")
            seed += 1
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
