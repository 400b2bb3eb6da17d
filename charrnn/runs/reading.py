"""Texts read for a trained model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from charrnn.data.reading import Source, TextOptions
from charrnn.data.token_buffer import TokenBuffer
from charrnn.nn.params import Ids, IntArray
from charrnn.runs.checkpoint import Checkpoint


def text_options(
    checkpoint: Checkpoint, source: Source | None = None, encoding: str | None = None
) -> TextOptions:
    """How a text is read: as the training text was, but standard input is UTF-8, and `encoding`
    replaces either.
    """
    config = checkpoint.record.config
    piped = source is not None and source.content is None
    return TextOptions(
        checkpoint.vocabulary.unit,
        encoding or ("utf-8" if piped else config.get("encoding", "utf-8")),
        config.get("keep_newlines", False),
    )


def encode_source(
    checkpoint: Checkpoint,
    source: Source,
    encoding: str | None = None,
    *,
    skip_unknown: bool = False,
) -> tuple[Ids, int]:
    """Read a text, see `text_options`. Returns its ids `(N,)`, and how many symbols were
    skipped because the model has never seen them. A VocabularyError if there are any and they are
    not to be skipped.
    """
    vocabulary, read, skipped = checkpoint.vocabulary, 0, 0
    with TokenBuffer() as buffer:
        for codes in code_blocks(checkpoint, source, encoding):
            if skip_unknown:
                skipped += int((~vocabulary.knows(codes)).sum())
            buffer.write(
                vocabulary.encode_code_points(codes, skip_unknown=skip_unknown, before=read)
            )
            read += len(codes)
        ids = buffer.whole(vocabulary.dtype)
    return ids, skipped


def read_codes(checkpoint: Checkpoint, source: Source, encoding: str | None = None) -> IntArray:
    """The code points (or byte values) of a text, see `text_options`."""
    blocks = code_blocks(checkpoint, source, encoding)
    return np.concatenate([np.zeros(0, np.uint32), *blocks]).astype(np.uint32)


def code_blocks(
    checkpoint: Checkpoint, source: Source, encoding: str | None = None
) -> Iterator[IntArray]:
    """The same, a few megabytes at a time."""
    return (codes for _, codes in source.code_points(text_options(checkpoint, source, encoding)))
