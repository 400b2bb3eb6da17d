"""Cells whose gates depend on the input only: the loop over time contains no matrix product."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

import numpy as np

from charrnn.nn.cells.base import Cache, Cell, Step
from charrnn.nn.functional import sigmoid, split_blocks
from charrnn.nn.params import Array, Params, Spec


class Minimal(Cell):
    """h' = f h + i g, where f, i and g depend on x alone.

    Feng et al., "Were RNNs all we needed?" (2024). This is the version that does not compute in
    logarithms: the candidate g = a_g may be negative. There is no U, and u is ignored.
    """

    has_recurrent_weights: ClassVar[bool] = False
    saved: ClassVar[Mapping[str, int]] = {"f": 1, "ig": 1}

    def gate(self, cache: Cache) -> None:
        """Compute f and the product i g of all steps from the drive: cache["f"], cache["ig"]."""
        raise NotImplementedError

    def step_views(self, cache: Cache) -> Iterable[Step]:
        self.gate(cache)
        return zip(cache["f"], cache["ig"], cache["h"], cache["h"][1:], strict=False)

    def forward(self, p: Params, u: Array, step: Step) -> None:
        f, ig, h, h1 = step
        np.multiply(f, h, h1)
        h1 += ig  # h' = f h + i g

    def slope(self, cache: Cache) -> None:
        """Overwrite cache["z"] with dh'/da of all steps."""
        raise NotImplementedError

    def local_gradients(self, p: Params, cache: Cache) -> Iterable[Step]:
        self.slope(cache)
        s = cache["z"].reshape(*cache["z"].shape[:2], self.num_blocks, -1)
        return zip(cache["f"][::-1], s[::-1], strict=True)

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        f, s = step
        s *= dh[:, None]  # da
        return np.asarray(f * dh)  # dh = dh' f


class MinGRU(Minimal):
    """z = sigmoid(a_z)             update gate
    h' = (1 - z) h + z a_g

    The smaller of the two cells of Feng et al. (2024).
    """

    name: ClassVar[str] = "mingru"
    num_blocks: ClassVar[int] = 2

    def gate(self, cache: Cache) -> None:
        z, g = split_blocks(cache["z"], 2)
        sigmoid(z, z)
        np.subtract(1, z, cache["f"])
        np.multiply(z, g, cache["ig"])

    def slope(self, cache: Cache) -> None:
        z, g = split_blocks(cache["z"], 2)
        dz = (g - cache["h"][:-1]) * z * cache["f"]  # (g - h) z (1 - z)
        g[...] = z
        z[...] = dz


class MinLSTM(Minimal):
    """f = sigmoid(a_f)             forget gate, with its bias initialized to 1
    i = sigmoid(a_i)             input gate
    h' = (f h + i a_g) / (f + i)

    The larger of the two cells of Feng et al. (2024): dividing by f + i keeps the scale of h.
    """

    name: ClassVar[str] = "minlstm"
    num_blocks: ClassVar[int] = 3
    saved: ClassVar[Mapping[str, int]] = {"f": 1, "ig": 1, "total": 1}

    def specs(self, input_size: int, hidden_size: int, fan_in: int) -> Iterator[Spec]:
        W, b = super().specs(input_size, hidden_size, fan_in)
        forget = np.repeat([1.0, 0.0, 0.0], hidden_size)
        yield from (W, b._replace(init=lambda *_: forget))

    def gate(self, cache: Cache) -> None:
        fi, (f, i, g), total = (
            cache["z"][..., : 2 * cache["f"].shape[-1]],
            split_blocks(cache["z"], 3),
            cache["total"],
        )
        sigmoid(fi, fi)
        np.add(f, i, total)
        np.divide(f, total, cache["f"])
        np.multiply(i, g, cache["ig"])
        cache["ig"] /= total

    def slope(self, cache: Cache) -> None:
        f, i, g = split_blocks(cache["z"], 3)
        share = i / cache["total"]
        shift = (cache["h"][:-1] - g) * cache["f"] * share  # (h - g) f i / (f + i)^2
        g[...] = share
        np.multiply(shift, 1 - f, f)
        np.multiply(shift, i - 1, i)
