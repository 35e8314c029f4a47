"""Reads a run directory with other programs' readers and checks that they agree.

    pip install tensorboard
    python scripts/check_run_dir.py runs/00003-quick-s0

- `run.sqlite` by Python's sqlite3 (and by the sqlite3 program if it is installed), read-only;
- the event file by TensorBoard's own loader: every scalar and image of the database is there, in
  order, with its tick as the step;
- the newest checkpoint's header by the safetensors format's own description;
- `arch.json` and `host.json` as JSON.

Exits with 1 and says what differs, or prints what it found.
"""

import json
import math
import pathlib
import shutil
import sqlite3
import struct
import subprocess
import sys

TABLES = ["trials", "scalars", "images", "events", "sessions"]


def fail(message):
    sys.exit(f"FAILED: {message}")


def check_database(run):
    path = run / "run.sqlite"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
        fail(f"{path} is not intact")
    counts = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}
    for name, count in counts.items():
        sums = connection.execute(f"SELECT count(*) FROM {name} JOIN {name}_crc USING (id)").fetchone()[0]
        if sums != count:
            fail(f"{name} has {count} rows, {sums} with a checksum")
    program = shutil.which("sqlite3")
    if program:
        query = "SELECT count(*) FROM trials"
        seen = subprocess.run([program, "-readonly", path, query], capture_output=True, text=True, check=True)
        if int(seen.stdout) != counts["trials"]:
            fail(f"the sqlite3 program sees {seen.stdout.strip()} trials, Python {counts['trials']}")
    print("database:", ", ".join(f"{count} {name}" for name, count in counts.items()))
    return connection


def check_events(run, connection):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0})
    accumulator.Reload()
    expected = {}
    for tick, tag, value in connection.execute("SELECT tick, tag, value FROM scalars ORDER BY id"):
        expected.setdefault(tag, []).append((tick, math.nan if value is None else value))
    if sorted(expected) != sorted(accumulator.Tags()["scalars"]):
        fail(f"series in the database {sorted(expected)}, for TensorBoard {accumulator.Tags()['scalars']}")
    for tag, points in expected.items():
        found = [(event.step, event.value) for event in accumulator.Scalars(tag)]
        if [tick for tick, _ in points] != [step for step, _ in found]:
            fail(f"steps of {tag} differ")
        for (tick, value), (_, single) in zip(points, found):
            same = math.isnan(value) and math.isnan(single)
            if not same and not math.isclose(value, single, rel_tol=1e-6, abs_tol=1e-30):
                fail(f"{tag} at {tick} is {value} in the database, {single} for TensorBoard")
    rows = connection.execute("SELECT tick, tag, path FROM images ORDER BY id").fetchall()
    images = {(event.step, tag): event for tag in accumulator.Tags()["images"] for event in accumulator.Images(tag)}
    for tick, tag, path in rows:
        event = images.get((tick, f"samples/{tag}"))
        if event is None:
            fail(f"the picture {path} of tick {tick} is not there for TensorBoard")
        png = event.encoded_image_string
        if not png.startswith(b"\x89PNG") or struct.unpack(">II", png[16:24]) != (event.width, event.height):
            fail(f"the picture {path} of tick {tick} is not a PNG of {event.width}x{event.height}")
    print(f"event file: {len(expected)} series, {len(images)} pictures")


def check_checkpoint(run):
    paths = sorted((run / "checkpoints").iterdir())
    if not paths:
        print("no checkpoint yet")
        return
    data = paths[-1].read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if 8 + length + end != len(data):
        fail(f"{paths[-1]} has {len(data)} bytes, its header promises {8 + length + end}")
    if int(metadata["tick"]) != int(paths[-1].stem):
        fail(f"{paths[-1]} is of tick {metadata['tick']}")
    print(f"checkpoint: {paths[-1].name}, {len(header)} tensors, metadata {', '.join(sorted(metadata))}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    run = pathlib.Path(sys.argv[1])
    connection = check_database(run)
    check_events(run, connection)
    check_checkpoint(run)
    for name in ["host.json", "arch.json"]:
        if (run / name).exists():
            json.loads((run / name).read_text())
            print(f"{name}: JSON")


if __name__ == "__main__":
    main()
