"""`charrnn info`: what is in a checkpoint."""

from __future__ import annotations

import json
import math
from typing import Any

import click

from charrnn.cli.inputs import CHECKPOINT_HELP, json_option, open_checkpoint
from charrnn.cli.views.display import print_table
from charrnn.models import Classifier


@click.command(
    "info",
    help=f"Show what is in a checkpoint.\n\n{CHECKPOINT_HELP}",
    epilog="""\b
Examples:
  charrnn info
  charrnn info checkpoints/small --json""",
)
@click.argument("checkpoint", required=False)
@json_option
def command(checkpoint: str | None, as_json: bool) -> None:
    path, found = open_checkpoint(checkpoint, None)
    model, meta = found.model, found.meta
    if as_json:
        click.echo(
            json.dumps({**meta, "checkpoint": str(path), "parameters": model.num_parameters})
        )
        return
    corpus, metrics = meta.get("corpus", {}), meta.get("metrics", {})
    position, config = meta.get("position", {}), meta.get("config", {})
    steps = position.get("step", 0)
    rows: list[tuple[str, Any]] = [
        ("checkpoint", path),
        ("model", model.name),
        ("parameters", f"{model.num_parameters:,}"),
        ("vocabulary", f"{len(found.vocabulary)} ({found.vocabulary.unit})"),
        ("symbols", "".join(s if s.isprintable() else "·" for s in found.vocabulary.symbols)[:200]),
        ("corpus", f"{corpus.get('name', '?')} (SHA-256 {corpus.get('sha256', '?')[:12]}...)"),
        ("trained", f"{steps:,} step{'s' * (steps != 1)}, {position.get('seconds', 0):,.0f} s"),
    ]
    if isinstance(model, Classifier):
        rows.append(("classes", ", ".join(model.config.classes)))
    if "optimizer" in config:
        rows.append(("optimizer", f"{config['optimizer']}, {config['schedule']} schedule"))
    if (nats := metrics.get("valid_nats_per_char")) is not None:
        best = f"{nats:.4f} nats, {nats / math.log(2):.4f} bits, perplexity {math.exp(nats):.3f}"
        rows.append(("validation", f"{best} at step {metrics['best_step']:,}"))
    if (nats := metrics.get("valid_nats_per_example")) is not None:
        rows.append(("validation", f"{nats:.4f} nats a text at step {metrics['best_step']:,}"))
    rows += [(name, " x ".join(map(str, a.shape))) for name, a in model.arrays().items()]
    print_table(("", ""), [(name, str(value)) for name, value in rows])
