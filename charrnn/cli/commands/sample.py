"""`charrnn sample`: write new text."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from typing import Any

import click

from charrnn.cli.foreign import json_text
from charrnn.cli.inputs import (
    LANGUAGE_MODEL_HELP,
    encoding_option,
    ensemble_option,
    json_option,
    open_models,
    unknown_option,
    write_bytes,
)
from charrnn.cli.numbers import Whole
from charrnn.cli.options import record_options
from charrnn.language.sampling import SamplingConfig
from charrnn.language.text_model import TextModel
from charrnn.nn.params import Ids
from charrnn.runs.loaded import LoadedModels


@click.command(
    "sample",
    help=f"Write new text in the manner of the training text.\n\n{LANGUAGE_MODEL_HELP}",
    epilog="""\b
Examples:
  charrnn sample --temp 0.8
  charrnn sample --seed-text "To be" --length 200 --seed 7
  charrnn sample --count 3 --length 80 --top-p 0.9
  charrnn sample checkpoints/small --novelty elizabethan
  echo "My lord" | charrnn sample --seed-file - --stop "." --json""",
)
@click.argument("checkpoint", required=False)
@record_options(SamplingConfig)
@click.option("--length", type=Whole(min=1), default=1000, show_default=True,
              help="Characters to write (words for a word model).")  # fmt: skip
@click.option("--seed-text", default="", metavar="TEXT", help="Text to continue.")
@click.option("--seed-file", metavar="FILE", help="Read the text to continue from a file, or - .")
@encoding_option("files that are read", "as in training")
@click.option("--stop", default="", metavar="STRING", help="End before this text.")
@click.option("--count", type=Whole(1, 10_000), default=1, show_default=True,
              help="Samples to write; sample n has the seed plus n - 1.")  # fmt: skip
@click.option("--seed", type=Whole(0, 2**63), help="Random seed.  [default: a new one]")
@click.option("--novelty", metavar="CORPUS",
              help="Report how much of the sample is copied from CORPUS.")  # fmt: skip
@ensemble_option
@unknown_option
@json_option
def command(
    checkpoint: str | None,
    length: int,
    seed_text: str,
    seed_file: str | None,
    encoding: str | None,
    stop: str,
    count: int,
    seed: int | None,
    novelty: str | None,
    ensemble: tuple[str, ...],
    unknown: str,
    as_json: bool,
    **options: Any,
) -> None:
    if seed_text and seed_file:
        raise click.UsageError("Give --seed-text or --seed-file, not both.")
    if novelty == seed_file == "-":
        raise click.UsageError("--seed-file and --novelty cannot both read standard input.")
    models = open_models(checkpoint, ensemble)
    model = TextModel(models.language_model, models.vocabulary)
    context, shown = _seed(models, model, seed_text, seed_file, encoding, unknown == "skip")
    report = None
    if novelty:
        # Takes 2 ms to import, and most commands do not need it.
        from charrnn.cli.views.novelty import NoveltyReport  # noqa: PLC0415

        report = NoveltyReport(novelty, models.checkpoint, encoding)
    first = secrets.randbelow(1 << 31) if seed is None else seed
    seeds = list(range(first, first + count))
    sampling = SamplingConfig(**{n: value for n, value in options.items() if value is not None})
    drawn = model.stream(context, length, seeds, sampling, stop)
    if report:
        drawn = report.watch(drawn, count)
    if as_json:
        data = {
            **models.to_json(),
            "seed_text": shown.decode("utf-8", "replace"),
            "samples": _collect(drawn, seeds),
        }
        if report:
            data["novelty"] = report.to_json()
        click.echo(json_text(data))
        return
    _print_text(drawn, shown, count)
    if report:
        report.show()
    if seed is None and sys.stderr.isatty():
        click.echo(f"(seed {first})", err=True)


def _seed(
    models: LoadedModels,
    model: TextModel,
    seed_text: str,
    seed_file: str | None,
    encoding: str | None,
    skip_unknown: bool,
) -> tuple[Ids, bytes]:
    """The ids that the model reads before the first draw, and the seed text as it is shown."""
    vocabulary = models.vocabulary
    if seed_file:
        # Imported only here, as above.
        from charrnn.cli.texts import corpus_source  # noqa: PLC0415
        from charrnn.runs.reading import encode_source  # noqa: PLC0415

        source = corpus_source(seed_file)
        ids, _ = encode_source(models.checkpoint, source, encoding, skip_unknown=skip_unknown)
        context = ids if len(ids) else model.prompt_ids("")
        return context, vocabulary.decode_bytes(ids)
    context = model.prompt_ids(seed_text, skip_unknown=skip_unknown)
    ids = vocabulary.encode(seed_text, skip_unknown=skip_unknown)
    return context, vocabulary.decode_bytes(ids) if skip_unknown else seed_text.encode()


def _print_text(drawn: Iterator[list[bytes]], seed_text: bytes, count: int) -> None:
    """Print the first sample as it is drawn, then the others, with blank lines between."""
    later: list[list[bytes]] = [[] for _ in range(count - 1)]
    write_bytes(seed_text)
    for first, *others in drawn:
        if first:
            write_bytes(first)
        for sample, piece in zip(later, others, strict=True):
            sample.append(piece)
    write_bytes(b"\n")
    for sample in later:
        write_bytes(b"\n" + seed_text + b"".join(sample) + b"\n")


def _collect(drawn: Iterator[list[bytes]], seeds: list[int]) -> list[dict[str, Any]]:
    """The samples for JSON."""
    samples = [bytearray() for _ in seeds]
    for pieces in drawn:
        for sample, piece in zip(samples, pieces, strict=True):
            sample.extend(piece)
    texts = (sample.decode("utf-8", "replace") for sample in samples)
    return [{"seed": s, "text": t} for s, t in zip(seeds, texts, strict=True)]
