"""Generated checkpoints: damaged, foreign and malicious files."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import charrnn
from tests.hostile.attack import Attack

TEXT = "Rain fell all evening, and the old lamp burned. 雨下了一夜。\n" * 30
NAMES = "".join(f"{label}\t{name}{n}\n" for n in range(30) for label, name in
                (("cat", "mi"), ("dog", "wu"), ("cow", "mo")))  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.5, -0.0, 10**7, 10**9, 2**31, 2**63, 10**19, -(10**19), 1e308,
    float("nan"), float("inf"), "", "x", "\x1b[31mred\x07", "\u202eabc", "/dev/zero", "../../x", [],
    {},    [[]], [None], {"x": None}, "a" * 5000, [0] * 5000,
)  # fmt: skip
DTYPES = ("float64", "float16", "int8", "int64", "bool", "complex64", "U3", "S2")


def base_files(folder: Path) -> list[Path]:
    """Small checkpoints of every kind, with training state where there is any."""
    (folder / "a.txt").write_text(TEXT, "utf-8")
    (folder / "names.tsv").write_text(NAMES, "utf-8")
    tiny: dict[str, Any] = {"hidden": 3, "layers": 1, "steps": 3, "batch": 4, "seq": 8,
                            "sample_every": 0, "out": folder / "base"}  # fmt: skip
    charrnn.train(folder / "a.txt", **tiny, cell="lstm", name="lstm")
    charrnn.train(folder / "a.txt", **tiny, cell="gru", name="word", unit="word")
    charrnn.train(folder / "a.txt", cell="ngram", order=3, out=folder / "base", name="ngram")
    charrnn.train(folder / "a.txt", **tiny, task="fill", name="fill")
    charrnn.train(folder / "names.tsv", **tiny, task="classify", name="classify")
    return sorted((folder / "base").glob("*/*.npz"))


def attacks(folder: Path, seed: int) -> Iterator[Attack]:
    """Checkpoints without end, each with a command that reads it."""
    files = base_files(folder)
    mutations = (flip, truncate, change_meta, change_meta, change_meta, change_array, change_array,
                 change_member)  # fmt: skip
    number = 0
    while True:
        rng = random.Random(f"{seed} {number}")
        source = rng.choice(files)
        mutate: Callable[[bytes, random.Random], tuple[bytes, str]] = rng.choice(mutations)
        data, note = mutate(source.read_bytes(), rng)
        run = folder / "runs" / str(number % 20)
        run.mkdir(parents=True, exist_ok=True)
        for old in run.iterdir():
            old.unlink()
        (run / source.name).write_bytes(data)
        (run / "log.jsonl").write_bytes((source.parent / "log.jsonl").read_bytes())
        arguments, stdin = rng.choice(commands(str(run)))
        note = f"checkpoint {seed} {number}: {source.parent.name}/{source.name}, {note}"
        yield Attack(note, arguments, folder, stdin)
        number += 1


def commands(run: str) -> list[tuple[list[str], bytes]]:
    """Commands that read a checkpoint, with their standard input."""
    line = b"Rain fell all\n"
    return [
        (["info", run], b""),
        (["info", run, "--json"], b""),
        (["sample", run, "--length", "5", "--seed", "1"], b""),
        (["eval", run, "-", "--unknown", "skip"], line),
        (["eval", run, "-", "--dynamic", "--unknown", "skip"], line),
        (["score", run, "-", "--unknown", "skip"], line),
        (["fill", run, "R_in", "--unknown", "skip"], b""),
        (["classify", run, "mimi"], b""),
        (["train", "--resume", run, "--steps", "4", "--quiet"], b""),
    ]


def flip(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Change a few bits."""
    changed = bytearray(data)
    places = [rng.randrange(len(data)) for _ in range(rng.choice((1, 1, 3, 50)))]
    for at in places:
        changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed), f"bits at {places[:5]}"


def truncate(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Cut the file off, or append to it."""
    end = rng.randrange(len(data))
    if rng.random() < 0.2:
        return data + data[:end], f"{end} bytes appended"
    return data[:end], f"cut at {end}"


def change_meta(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Replace, remove or add a value somewhere in the JSON record."""
    arrays = arrays_of(data)
    meta = json.loads(str(arrays["meta"]))
    notes = []
    for _ in range(rng.choice((1, 1, 1, 3))):
        place, path = meta, []
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key: Any = rng.choice(keys)
            path.append(key)
            if isinstance(place[key], dict | list) and rng.random() < 0.8 and place[key]:
                place = place[key]
                continue
            if rng.random() < 0.15 and isinstance(place, dict):
                del place[key]
                notes.append(f"without {path}")
            else:
                place[key] = rng.choice(VALUES)
                notes.append(f"{path} = {str(place[key])[:20]!r}")
            break
    arrays["meta"] = np.array(json.dumps(meta))
    return packed(arrays), ", ".join(notes)


def change_array(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Change the type, shape or values of an array, or remove, rename or add one."""
    arrays = arrays_of(data)
    name = rng.choice([n for n in arrays if n != "meta"])
    array = arrays[name]
    way = rng.choice(("dtype", "shape", "nan", "inf", "remove", "rename", "empty", "scalar"))
    if way == "dtype":
        arrays[name] = array.astype(rng.choice(DTYPES))
    elif way == "shape":
        arrays[name] = np.resize(array, [rng.randrange(6) for _ in range(rng.randrange(4))])
    elif way in ("nan", "inf"):
        arrays[name] = np.full(array.shape, float(way))
    elif way in ("remove", "rename"):
        arrays[f"params/{rng.randrange(9)}.x"] = arrays.pop(name)
        if way == "remove":
            arrays.popitem()
    else:
        arrays[name] = np.zeros(0 if way == "empty" else (), array.dtype)
    return packed(arrays), f"{name}: {way}"


def change_member(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Replace a member of the archive: no array, pickled objects, or a bomb."""
    way = rng.choice(("text", "pickle", "bomb", "huge shape", "twice"))
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        names = old.namelist()
        victim = rng.choice(names)
        for name in names:
            if name != victim:
                new.writestr(name, old.read(name))
            elif way == "text":
                new.writestr(name, "hello")
            elif way == "pickle":
                objects = io.BytesIO()
                np.save(objects, np.array([{"x": 1}], dtype=object), allow_pickle=True)
                new.writestr(name, objects.getvalue())
            elif way == "bomb":
                zeros = io.BytesIO()
                np.save(zeros, np.zeros(3 << 26, np.uint8))
                new.writestr(name, zeros.getvalue(), zipfile.ZIP_DEFLATED)
            elif way == "huge shape":
                header = io.BytesIO()
                np.lib.format.write_array_header_1_0(
                    header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 1 << 10)}
                )
                new.writestr(name, header.getvalue() + b"\0" * 64)
            else:
                new.writestr(name, old.read(name))
                new.writestr(name.replace("params", "params2"), old.read(name))
    return stream.getvalue(), f"{victim}: {way}"


def arrays_of(data: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def packed(arrays: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()
