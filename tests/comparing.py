"""A small comparison, as the tests of several files start it."""

import subprocess
import sys
from pathlib import Path

SMALL = ["--hidden", "8", "--layers", "1", "--batch", "4", "--seq", "16",
         "--split", "0.7,0.1,0.2"]  # fmt: skip
CELLS = ["--cells", "rnn,gru", "--seeds", "2", "--ngram", "1,3"]
COMMAND = [sys.executable, "-m", "charrnn", "compare", "verse.txt", *SMALL, *CELLS]


def charrnn(where: Path, *arguments: str) -> subprocess.CompletedProcess:
    """The command, in a folder."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=where, capture_output=True, text=True, timeout=300, check=False
    )
