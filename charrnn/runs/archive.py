"""Reading a file of named arrays that may come from anybody.

Everything is checked before it is read or allocated: that the file is a regular file, that the
sizes it declares fit its size on disk and the shapes of its arrays, and that the arrays hold
numbers. No part of the file can run code.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.lib import format as npy

from charrnn.nn.params import Array
from charrnn.system.files import is_regular

META = "meta"
_SUFFIX = ".npy"
_RATIO, _SLACK = 4, 1 << 20
"""A file may declare so many times its size, plus so many bytes. Ours are not compressed."""


def read_archive(path: Path, wanted: Callable[[str], bool]) -> tuple[Any, dict[str, Array]]:
    """The JSON record `meta` of a file, and the arrays whose names are wanted.

    An OSError if the file cannot be read, a ValueError or another error of the readers if it is
    damaged or declares more than it holds.
    """
    if path.exists() and not is_regular(path):
        raise ValueError("it is not a regular file")
    with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
        members = {info.filename.removesuffix(_SUFFIX): info for info in archive.infolist()}
        size = path.stat().st_size
        declared = sum(info.file_size for info in archive.infolist())
        if declared > _RATIO * size + _SLACK:
            raise ValueError(f"it declares {declared:,} bytes of data and has {size:,}")
        if len(members) < len(archive.infolist()):
            raise ValueError("two of its arrays have the same name")
        meta = None
        if META in members:
            text = str(_member(archive, members[META], "U"))
            meta = json.loads(text, parse_constant=_refuse)
        names = [name for name in members if name != META and wanted(name)]
        return meta, {name: _member(archive, members[name], "fiu") for name in names}


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, kinds: str) -> Array:
    """An array of the archive, of one of these kinds of types; read-only."""
    with archive.open(info) as member:
        version = npy.read_magic(member)
        if version == (1, 0):
            shape, fortran, dtype = npy.read_array_header_1_0(member)
        elif version == (2, 0):
            shape, fortran, dtype = npy.read_array_header_2_0(member)
        else:
            raise ValueError(f"{info.filename} has an unknown format")
        if dtype.hasobject or dtype.kind not in kinds:
            raise ValueError(f"{info.filename} holds {dtype}, which is not allowed there")
        size = prod(shape) * dtype.itemsize
        if size != info.file_size - member.tell():
            raise ValueError(f"{info.filename} has not the size that its shape {shape} needs")
        data = member.read()
    array: Array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return array


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"its record contains {constant}")
