"""Where the files that come with the package are, installed or in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def bundled(folder: str) -> Path | None:
    """The folder `corpora` or `checkpoints` that ships: inside the package once installed, beside
    it in a checkout.
    """
    for place in (_PACKAGE / "bundled" / folder, _PACKAGE.parent / folder):
        if place.is_dir():
            return place
    return None
