"""Measures what decoding costs `autogan score`: the same pixels as PNG files and as one array.

    cargo build --release --package autogan-cli
    python3 scripts/measure_decoding.py target/release/autogan cifar-10-batches-bin/test_batch.bin

Writes the 10,000 pictures of CIFAR-10's test set as PNG files (with zlib, as most programs do: filter 0, level 6), and
as the `.bin` file that they come from, into a folder for temporary files. Then runs `autogan score --is SET --no-cache`
on both in turn, and prints the seconds of each run, their medians and the ratio. Decoding is to cost at most 5 %.
Options behind the two paths go to `autogan score`, such as `--extractor compact-cifar10`; without any it is Inception,
which takes minutes. `--count N` in front takes fewer pictures, `--runs N` fewer or more runs.

No package is needed.
"""

import argparse
import pathlib
import shutil
import statistics
import struct
import subprocess
import tempfile
import time
import zlib

SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE


def png(planes):
    area = SIDE * SIDE
    rows = bytearray()
    for y in range(SIDE):
        rows.append(0)
        row = slice(y * SIDE, (y + 1) * SIDE)
        colours = [planes[channel * area : (channel + 1) * area][row] for channel in range(3)]
        rows += bytes(value for pixel in zip(*colours) for value in pixel)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")


def write(records, scratch):
    folder, array = scratch / "png", scratch / "array.bin"
    folder.mkdir()
    for number in range(len(records) // RECORD):
        record = records[number * RECORD : (number + 1) * RECORD]
        (folder / f"{number:05}.png").write_bytes(png(record[1:]))
    array.write_bytes(records)
    return folder, array


def seconds(program, images, options):
    command = [program, "score", "--is", str(images), "--no-cache", "--silent", *options]
    start = time.perf_counter()
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return time.perf_counter() - start, answer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("program")
    parser.add_argument("batch", type=pathlib.Path)
    args, options = parser.parse_known_args()
    program = shutil.which(args.program) or str(pathlib.Path(args.program).resolve())
    records = args.batch.read_bytes()[: args.count * RECORD]
    with tempfile.TemporaryDirectory() as scratch:
        folder, array = write(records, pathlib.Path(scratch))
        times, answers = {folder: [], array: []}, set()
        # Once for the file system's cache.
        seconds(program, folder, options)
        for _ in range(args.runs):
            for images in times:
                took, answer = seconds(program, images, options)
                times[images].append(took)
                answers.add(answer)
    if len(answers) != 1:
        raise SystemExit(f"FAILED: the scores differ: {answers}")
    medians = []
    for name, runs in zip(("png", "array"), times.values()):
        medians.append(statistics.median(runs))
        print(f"{name:6} {' '.join(f'{run:.2f}' for run in runs)}  median {medians[-1]:.2f} s")
    print(f"ratio  {medians[0] / medians[1]:.3f}")


main()
