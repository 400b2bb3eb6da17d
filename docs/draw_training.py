"""Draw docs/training.svg: what a terminal shows while `charrnn train` runs, and the end of it.

    python docs/draw_training.py [arguments of charrnn train]

Runs the command in a terminal of 80 columns and keeps the last screen it drew.
"""

import io
import re
import sys
from pathlib import Path

import pexpect
from rich.console import Console
from rich.text import Text

WIDTH = 80


def main(arguments: list[str]) -> None:
    """Run, keep the last screen, draw it."""
    command = ["-m", "charrnn", "train", *arguments]
    child = pexpect.spawn(
        sys.executable, command, dimensions=(30, WIDTH), timeout=None, encoding="utf-8"
    )
    screen = child.read()
    frames = re.split(r"(?:\x1b\[1A\x1b\[2K)+", screen.replace("\r\n", "\n").replace("\r", ""))
    last = re.sub(r"\x1b\[\?25[hl]|\x1b\[2K", "", frames[-1])
    console = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
    console.print(f"[bold green]$[/] charrnn train {' '.join(arguments)}")
    console.print(Text.from_ansi(last.rstrip()))
    svg = console.export_svg(title="charrnn")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # no font from the network
    picture = Path(__file__).parent / "training.svg"
    picture.write_text(svg.replace("Fira Code, ", "").replace('"Fira Code"', "monospace"), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:] or ["tinyshakespeare", "--minutes", "3"])
