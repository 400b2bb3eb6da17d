"""Reading a text on which a trained model is measured."""

from __future__ import annotations

from collections.abc import Sequence

from charrnn.data.reading import Source
from charrnn.errors import CorpusError
from charrnn.nn.params import Ids
from charrnn.runs.loaded import LoadedModels
from charrnn.runs.reading import encode_source


def encode_text(
    models: LoadedModels, source: Source, encoding: str | None, skip_unknown: bool
) -> tuple[Ids, int, Sequence[str]]:
    """The ids of a text, how many symbols were skipped, and a remark if there were any. A
    CorpusError if nothing is left.
    """
    ids, skipped = encode_source(models.checkpoint, source, encoding, skip_unknown=skip_unknown)
    if not len(ids):
        raise CorpusError(f"{source.name} has no characters to evaluate.")
    remark = f"Skipped {models.vocabulary.counted(skipped)} that the model has never seen."
    return ids, skipped, (remark,) * bool(skipped)
