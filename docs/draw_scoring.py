"""Draw docs/scoring.svg: `charrnn score --show` on five lines, four of which have an error.

python docs/draw_scoring.py
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from draw_training import draw

LINES = """\
I shall not go with thee to night.
I shlal not go with thee to night.
My lord, king the is in the garden.
Farewell, my coeur, until we meet again.
I shall not go with thee to
"""


def main() -> None:
    """Score the lines with the bundled model."""
    shipped = Path(__file__).parent.parent / "checkpoints" / "shakespeare"
    with TemporaryDirectory() as folder:
        shutil.copytree(shipped, Path(folder, "checkpoints", "shakespeare"))
        Path(folder, "lines.txt").write_text(LINES, "utf-8")
        draw("scoring", ["score", "lines.txt", "--show"], Path(folder))


if __name__ == "__main__":
    main()
