"""The process group that this process was launched into."""

from __future__ import annotations

from importlib import import_module

from charrnn.errors import ProcessGroupError
from charrnn.system.launch import launched_as
from charrnn.training.parallel.group import ProcessGroup


def init_group() -> ProcessGroup:
    """The group of this process: all ranks under `mpiexec`, otherwise this process alone.

    Imports mpi4py only under `mpiexec`. Raises ProcessGroupError if mpi4py or the MPI library is
    missing.
    """
    if launched_as().size == 1:
        return ProcessGroup()
    try:
        mpi = import_module("charrnn.training.parallel.mpi")
    except ModuleNotFoundError:
        raise ProcessGroupError(
            "Training under mpiexec needs an extra: pip install 'charrnn[mpi]'."
        ) from None
    except (ImportError, RuntimeError) as error:
        raise ProcessGroupError(f"mpi4py cannot load an MPI library: {error}.") from None
    group: ProcessGroup = mpi.mpi_group()
    return group
