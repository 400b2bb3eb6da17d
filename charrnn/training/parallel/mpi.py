"""MPIGroup of an MPI job, through mpi4py. Imported only in a process that `mpiexec` started."""

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
    """All processes of a communicator."""

    def __init__(self, comm: MPI.Intracomm = MPI.COMM_WORLD) -> None:
        super().__init__()
        self.comm = comm
        self.rank, self.size = comm.rank, comm.size
        self._heard = False

    @property
    def stopping(self) -> bool:
        return self._heard

    def cores(self) -> int:
        """A core that several ranks of this machine may use is shared out among them."""
        machine = self.comm.Split_type(MPI.COMM_TYPE_SHARED)
        mine = available_cores()
        users = Counter(core for each in machine.allgather(mine) for core in each)
        machine.Free()
        return max(1, int(sum(1 / users[core] for core in mine) + 1e-6))

    def all_reduce(self, array: Array, notes: Sequence[float]) -> NDArray[np.float64]:
        """An allreduce whose order is ours, not that of an MPI library or a network.

        Every rank owns a piece of the array. All send it theirs of that piece, with their notes
        behind it (Alltoall); it adds them up in order, and all get the sums (Allgather). With
        p ranks, each sends and receives 2 (p - 1) / p times the array, as in a ring, and nobody
        can do with less.
        """
        told = np.array([*notes, self._asked], np.float64)
        tail = told.view(array.dtype)
        length = -(-array.size // self.size)  # of a piece; the last may be padded with zeros
        out = np.zeros((self.size, length + tail.size), array.dtype)
        for n, row in enumerate(out):
            piece = array[n * length : (n + 1) * length]
            row[: piece.size] = piece
            row[length:] = tail
        received = np.empty_like(out)
        self.comm.Alltoall(out, received)
        with np.errstate(all="ignore"):  # a loss that explodes is seen by whoever asked
            own: Array = pairwise_sum(list(received[:, :length]))
        sums = np.empty((self.size, length), array.dtype)
        self.comm.Allgather(own, sums)
        array[:] = sums.ravel()[: array.size]
        everyone: NDArray[np.float64] = received[:, length:].copy().view(np.float64)
        self._heard = bool(everyone[:, -1].any())
        return everyone[:, :-1]

    def gather(self, value: T) -> list[T]:
        return self.comm.allgather(value)

    def broadcast(self, value: T) -> T:
        shared: T = self.comm.bcast(value)
        return shared


def init_group() -> ProcessGroup:
    """All ranks of this job. A ProcessGroupError if mpi4py and `mpiexec` use different MPIs."""
    told, found = launched_as().size, MPI.COMM_WORLD.size
    if found == 1 < told:
        raise ProcessGroupError(
            f"mpiexec started {told} processes on {socket.gethostname()}, but mpi4py sees each "
            f"alone: it uses another MPI ({MPI.get_vendor()[0]}) than that mpiexec."
        )
    return MPIGroup() if found > 1 else ProcessGroup()


def abort(code: int) -> None:
    """End every rank of the job at once, `code` being its exit code."""
    MPI.COMM_WORLD.Abort(code)
