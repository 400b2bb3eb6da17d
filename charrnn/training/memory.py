"""How much memory training needs, so that too large a network is refused before it is built."""

from __future__ import annotations

import os

from charrnn.errors import ConfigError
from charrnn.models import count_parameters
from charrnn.tasks import Task

_COPIES = 8
"""Float32 vectors of the size of the parameters: these, their gradient, the slots of the optimizer,
the best, the last good state with its slots.
"""
_PER_UNIT = 8
"""Float32 numbers held for each unit, layer, stream and time step."""


def check_memory(task: Task) -> None:
    """A ConfigError, with the figures, if the machine has not the memory to train the network."""
    config, symbols = task.config, len(task.dataset.vocabulary)
    network = config.network_config(symbols)
    parameters = count_parameters(network)
    streams = config.batch * config.seq
    activations = streams * (_PER_UNIT * network.hidden * network.layers + 3 * symbols)
    needed, there = 4 * (_COPIES * parameters + activations), physical_memory()
    if there and needed > there:
        raise ConfigError(
            f"{task.model_name} has about {parameters:,} parameters and needs about "
            f"{needed / 1e9:,.1f} GB for training; this machine has {there / 1e9:,.1f} GB. Lower "
            "--hidden, --layers, --batch or --seq."
        )


def physical_memory() -> int | None:
    """The memory of this machine in bytes; None where the system does not say (Windows)."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
