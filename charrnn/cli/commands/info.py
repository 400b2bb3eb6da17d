"""`charrnn info`: what is in a checkpoint."""

from __future__ import annotations

from typing import Any

import click

from charrnn.cli.foreign import json_text
from charrnn.cli.inputs import CHECKPOINT_HELP, json_option, open_models
from charrnn.cli.views.display import print_table, units
from charrnn.runs.checkpoint import read_meta
from charrnn.tasks import TASKS


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
    models = open_models(checkpoint, tasks=None)
    (path,), model, record = models.paths, models.model, models.checkpoint.record
    if as_json:
        found = {"checkpoint": str(path), "parameters": model.num_parameters}
        click.echo(json_text({**read_meta(path), **found}))
        return
    task, vocabulary, config = TASKS[model.task], models.vocabulary, record.config
    symbols = "".join(s if s.isprintable() else "·" for s in vocabulary.symbols)[:200]
    rows: list[tuple[str, Any]] = [
        ("checkpoint", path),
        ("model", model.name),
        ("parameters", f"{model.num_parameters:,}"),
        ("vocabulary", f"{len(vocabulary)} ({vocabulary.unit})"),
        ("symbols", symbols),
    ]
    if record.corpus:
        rows.append(("corpus", f"{record.corpus.name} (SHA-256 {record.corpus.sha256[:12]}...)"))
    if record.position:
        steps, seconds = record.step, record.position.seconds
        rows.append(("trained", f"{steps:,} step{'s' * (steps != 1)}, {seconds:,.0f} s"))
    rows += task.describe(model).items()
    if "optimizer" in config and "schedule" in config:
        rows.append(("optimizer", f"{config['optimizer']}, {config['schedule']} schedule"))
    if record.metrics and record.metrics.valid is not None:
        loss = task.loss_class(record.metrics.valid, 0)
        rows.append(("validation", f"{units(loss)} at step {record.metrics.best_step:,}"))
    rows += [(name, " x ".join(map(str, a.shape))) for name, a in model.arrays().items()]
    print_table(("", ""), [(name, str(value)) for name, value in rows])
