"""A small comparison that several test files share, as a command and as Python objects."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, TypeVar

from charrnn.compare.comparison import Comparison
from charrnn.compare.plan import Plan
from charrnn.compare.results import Result
from charrnn.compare.trial import Trial
from charrnn.data.reading import Source
from charrnn.tasks import LanguageModelConfig, TextFiles
from tests.conftest import VERSE

T = TypeVar("T")
SMALL = ["--hidden", "8", "--layers", "1", "--batch", "4", "--seq", "16",
         "--split", "0.7,0.1,0.2"]  # fmt: skip
CELLS = ["--cells", "rnn,gru", "--seeds", "2", "--ngram", "1,3"]
COMMAND = [sys.executable, "-m", "charrnn", "compare", "verse.txt", *SMALL, *CELLS]


def charrnn(where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=where, capture_output=True, text=True, timeout=300, check=False
    )


CONFIG = LanguageModelConfig(
    hidden=8, layers=1, batch=4, seq=16, steps=12, eval_every=4, dropout=0.2, split="0.7,0.1,0.2"
)
TEXT = TextFiles((Source("verse.txt", VERSE[:5000].encode()),), CONFIG)
PLAN = Plan(CONFIG, ("rnn", "gru"), 2, (1, 3))


class InlineExecutor(Executor):
    """Runs each task immediately in the calling thread."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


def results(comparison: Comparison) -> dict[Trial, Result]:
    """The results of a comparison without diverged runs."""
    finished = {trial: result for trial, result in comparison.results.items() if result}
    assert len(finished) == len(comparison.results)
    return finished


def compared(out: Path, plan: Plan = PLAN, text: TextFiles = TEXT) -> Comparison:
    comparison = Comparison(plan, text, out)
    list(comparison.events(InlineExecutor()))
    return comparison
