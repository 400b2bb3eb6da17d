"""Draw docs/training.svg: a terminal in which `charrnn train` has run.

    python docs/draw_training.py [arguments of charrnn train]

Runs the command in a terminal of 80 columns and draws the last screen.
"""

import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pexpect
from rich.console import Console
from rich.text import Text

WIDTH = 80


def main(arguments: list[str]) -> None:
    """Run the command and draw its last screen."""
    draw("training", ["train", *(arguments or ["elizabethan", "--epochs", "8"])])


def draw(picture: str, arguments: Sequence[str], cwd: Path | None = None) -> None:
    """Run charrnn in a terminal and draw the last screen as docs/<picture>.svg."""
    colours = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    child = pexpect.spawn(
        sys.executable, ["-m", "charrnn", *arguments], dimensions=(30, WIDTH), timeout=None,
        encoding="utf-8", cwd=cwd, env={**os.environ, **colours},
    )  # fmt: skip
    screen = child.read()
    frames = re.split(r"(?:\x1b\[1A\x1b\[2K)+", screen.replace("\r\n", "\n").replace("\r", ""))
    last = re.sub(r"\x1b\[\?25[hl]|\x1b\[2K", "", frames[-1])
    console = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
    console.print(f"[bold green]$[/] charrnn {' '.join(arguments)}")
    console.print(Text.from_ansi(last.rstrip()))
    svg = console.export_svg(title="charrnn")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # no font from the network
    svg = svg.replace("Fira Code, ", "").replace('"Fira Code"', "monospace")
    (Path(__file__).parent / f"{picture}.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
