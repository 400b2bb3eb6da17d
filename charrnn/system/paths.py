"""Paths that people type."""

from __future__ import annotations

from pathlib import Path


def path_exists(path: Path) -> bool:
    """Whether the file exists; False for a name that no file can have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
