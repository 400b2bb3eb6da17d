"""The process group of an MPI job, using mpi4py. Imported only under `mpiexec`."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from charrnn.errors import ProcessGroupError
from charrnn.nn.params import Array
from charrnn.system.launch import launched_as
from charrnn.training.parallel.group import ProcessGroup, available_cores, pairwise_sum

T = TypeVar("T")


class MPIGroup(ProcessGroup):
    """All processes of an MPI communicator."""

    def __init__(self, comm: MPI.Intracomm = MPI.COMM_WORLD) -> None:
        super().__init__()
        self.comm = comm
        self.rank, self.size = comm.rank, comm.size
        self._stopping = False

    @property
    def stopping(self) -> bool:
        return self._stopping

    def cores(self) -> int:
        """Cores that several ranks of this machine may use are divided evenly among them."""
        machine = self.comm.Split_type(MPI.COMM_TYPE_SHARED)
        local_cores = available_cores()
        users = Counter(core for cores in machine.allgather(local_cores) for core in cores)
        machine.Free()
        return max(1, int(sum(1 / users[core] for core in local_cores) + 1e-6))

    def all_reduce(self, array: Array, scalars: Sequence[float]) -> NDArray[np.float64]:
        """All-reduce in a fixed order; that of MPI depends on the library and the network.

        Each rank sums one piece of the array. All ranks send it their values of that piece, with
        their scalars at the end (Alltoall), and receive the sums (Allgather). With p ranks, each
        rank sends and receives 2 (p - 1) / p times the array size, which is the minimum and equals
        a ring all-reduce.
        """
        tail = np.array([*scalars, self._stop_requested], np.float64).view(array.dtype)
        length = -(-array.size // self.size)  # of a piece; the last may be padded with zeros
        out = np.zeros((self.size, length + tail.size), array.dtype)
        for n, row in enumerate(out):
            piece = array[n * length : (n + 1) * length]
            row[: piece.size] = piece
            row[length:] = tail
        received = np.empty_like(out)
        self.comm.Alltoall(out, received)
        with np.errstate(all="ignore"):  # the trainer checks for an exploded loss
            piece_sum: Array = pairwise_sum(list(received[:, :length]))
        sums = np.empty((self.size, length), array.dtype)
        self.comm.Allgather(piece_sum, sums)
        array[:] = sums.ravel()[: array.size]
        all_scalars: NDArray[np.float64] = received[:, length:].copy().view(np.float64)
        self._stopping = bool(all_scalars[:, -1].any())
        return all_scalars[:, :-1]

    def gather(self, value: T) -> list[T]:
        return self.comm.allgather(value)

    def broadcast(self, value: T) -> T:
        shared: T = self.comm.bcast(value)
        return shared


def mpi_group() -> ProcessGroup:
    """The group of all ranks; a ProcessGroupError if mpi4py and `mpiexec` use different MPIs."""
    launched, connected = launched_as().size, MPI.COMM_WORLD.size
    if connected == 1 < launched:
        raise ProcessGroupError(
            f"mpiexec started {launched} processes on {socket.gethostname()}, but mpi4py sees only "
            f"one: it uses a different MPI ({MPI.get_vendor()[0]}) than this mpiexec."
        )
    return MPIGroup() if connected > 1 else ProcessGroup()


def abort(code: int) -> None:
    """End all ranks of the job immediately with exit code `code`."""
    MPI.COMM_WORLD.Abort(code)
