"""The files that come with the package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def bundled(folder: str) -> Path | None:
    """The bundled folder `corpora` or `checkpoints`: inside an installed package, next to the
    package in a checkout. None if it is missing.
    """
    for path in (_PACKAGE / "bundled" / folder, _PACKAGE.parent / folder):
        if path.is_dir():
            return path
    return None
