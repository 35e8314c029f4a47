"""Runs the Python of docs/scoring.md that streams images to `autogan score -`, and checks what it gives.

    cargo build --release --package autogan-cli
    python3 scripts/check_pipe.py target/release/autogan

The block is taken from the page as it is there. It scores images that a loop makes, and the same images as files must
give the same FID. A pipe that is cut off must be an error, and so must a terminal. Nothing is downloaded, and no package
is needed: the images are scored by the embedded scorer `compact-shapes`.

Exits with 1 and says what differs, or prints the FID.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "scoring.md"
SIDE = 32
EXTRACTOR = ("--extractor", "compact-shapes", "--no-cache", "--silent")


def fail(message):
    sys.exit(f"FAILED: {message}")


def documented():
    """The function `fid` of the page."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    blocks = [block for block in blocks if "def fid(" in block]
    if len(blocks) != 1:
        fail(f"{PAGE} has {len(blocks)} blocks of Python with `def fid(`, expected 1")
    names = {}
    exec(compile(blocks[0], str(PAGE), "exec"), names)
    return names["fid"]


def image(number):
    """Planes [3, SIDE, SIDE] of one image, which depend on its number only."""
    state = number * 2654435761 % 2**32
    planes = bytearray()
    for _ in range(3):
        state = (state * 1664525 + 1013904223) % 2**32
        above, below, edge = state >> 24, state >> 16 & 255, state >> 8 & 31
        planes += bytes([above]) * (edge * SIDE) + bytes([below]) * ((SIDE - edge) * SIDE)
    return bytes(planes)


def batches(count, size=7):
    """What a training loop makes: anything with `tobytes`, such as an array of NumPy."""
    for start in range(0, count, size):
        yield memoryview(b"".join(image(number) for number in range(start, min(start + size, count))))


def folder(path, count):
    path.mkdir()
    for number in range(count):
        planes = image(number)
        pixels = bytes(planes[channel * SIDE * SIDE + i] for i in range(SIDE * SIDE) for channel in range(3))
        (path / f"{number:03}.ppm").write_bytes(b"P6 %d %d 255\n" % (SIDE, SIDE) + pixels)


def check_score(fid, program, scratch):
    count = 50
    folder(scratch / "same", count)
    command = [program, "score", str(scratch / "same"), "shapes-test", "--json", *EXTRACTOR]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    expected = json.loads(answer)["frechet_inception_distance"]
    found = fid(batches(count), count, "shapes-test", "3x32x32", *EXTRACTOR)
    if found != expected:
        fail(f"the pipe gives FID {found}, the files {expected}")
    return found


def check_errors(fid, program):
    try:
        fid(batches(20), 21, "shapes-test", "3x32x32", *EXTRACTOR)
    except RuntimeError:
        pass
    else:
        fail("a pipe that ends too early was scored")
    command = [program, "score", "-", "shapes-test", "--raw", "3x32x32", *EXTRACTOR]
    terminal, other_end = os.openpty()
    ran = subprocess.run(command, stdin=other_end, capture_output=True, text=True)
    os.close(terminal)
    os.close(other_end)
    if ran.returncode != 1 or "found a terminal" not in ran.stderr:
        fail(f"a terminal as standard input gave {ran.returncode} and {ran.stderr!r}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = pathlib.Path(sys.argv[1]).resolve()
    os.environ["PATH"] = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    fid = documented()
    with tempfile.TemporaryDirectory() as scratch:
        found = check_score(fid, str(program), pathlib.Path(scratch))
    check_errors(fid, str(program))
    print(f"FID through the pipe and from files: {found}")


main()
