"""Fetching a corpus with a progress bar."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from charrnn.cli.views.display import echo_err
from charrnn.data.catalogue import Entry
from charrnn.data.fetch import fetch


def download(entry: Entry) -> None:
    """Fetch a corpus into the cache. Outside a terminal, print one line instead of a bar."""
    console = Console(stderr=True)
    if not console.is_terminal:
        echo_err(f"Fetching {entry.name} ({entry.bytes:,} bytes).")
        for _ in fetch(entry):
            pass
        return
    title = TextColumn(f"Fetching {entry.name}")
    columns = (title, BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=entry.bytes)
        for done in fetch(entry):
            bar.update(task, completed=done)
