"""`charrnn corpora`: list, show and fetch corpora."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.console import Console

from charrnn.cli.foreign import json_text
from charrnn.cli.inputs import json_option, write_bytes
from charrnn.cli.texts import download_with_bar
from charrnn.cli.views.display import echo_err, print_table, print_words
from charrnn.data import catalogue
from charrnn.data.sources import corpus_file
from charrnn.errors import CorpusError

_NARROW = 60  # columns of a terminal that has no room for sizes and licences


@click.command(
    "corpora",
    epilog="""\b
Examples:
  charrnn corpora
  charrnn corpora show quatrains
  charrnn corpora fetch tinyshakespeare""",
)
@click.argument("action", type=click.Choice(["list", "show", "fetch"]), default="list")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
def command(action: str, names: tuple[str, ...], as_json: bool) -> None:
    """List the corpora that charrnn knows by name, `show` one, or `fetch` some.

    Every command that takes a text file also takes one of these names, and fetches the text if it
    is missing. Fetched texts are verified by SHA-256 and stored in the user's cache folder.
    """
    if action == "list":
        if names:
            raise click.UsageError("To show a corpus: charrnn corpora show NAME.")
        _list(as_json)
        return
    if not names:
        raise click.UsageError(f"Name a corpus: charrnn corpora {action} NAME.")
    for name in names:
        entry = catalogue.find(name)
        if entry is None:
            known = ", ".join(e.name for e in catalogue.entries())
            raise CorpusError(f"There is no corpus '{name}'; there are: {known}.")
        source = corpus_file(entry, download_with_bar)
        if as_json:
            click.echo(json_text(_record(entry)))
        elif action == "show":
            for block in source.blocks():
                write_bytes(block)
        else:
            echo_err(f"{entry.name}: {catalogue.local_file(entry)}")


def _record(entry: catalogue.Entry) -> dict[str, object]:
    file = str(catalogue.local_file(entry))
    return asdict(entry) | {"here": catalogue.is_here(entry), "file": file}


def _list(as_json: bool) -> None:
    entries = catalogue.entries()
    if as_json:
        listed = [_record(e) for e in entries]
        click.echo(json_text(listed))
        return
    table = {
        "name": [e.name for e in entries],
        "bytes": [f"{e.bytes:,}" for e in entries],
        "licence": [e.licence for e in entries],
        "downloaded": ["yes" if catalogue.is_here(e) else "no" for e in entries],
        "what": [e.title for e in entries],
    }
    console = Console()
    if console.is_terminal and console.width < _NARROW:
        del table["bytes"], table["licence"]
    print_table(list(table), zip(*table.values(), strict=True), right=("bytes",))
    echo_err("")
    print_words("A corpus that is not downloaded yet is fetched when it is first used.")
