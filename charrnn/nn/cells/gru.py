"""The gated recurrent unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

import numpy as np

from charrnn.nn.cells.base import Cache, Cell, Step
from charrnn.nn.functional import sigmoid, split_blocks
from charrnn.nn.initializers import constant
from charrnn.nn.params import Array, Params, Spec


class GRU(Cell):
    """r = sigmoid(a_r + u_r)              reset gate
    z = sigmoid(a_z + u_z)              update gate
    n = tanh(a_n + r (u_n + q))         candidate
    h' = (1 - z) n + z h

    Cho et al. (2014), in the variant of PyTorch and cuDNN: the reset gate acts after the recurrent
    product, so the candidate has a separate recurrent bias q. (The first version of the paper
    applies it to h, before the product.)
    """

    name: ClassVar[str] = "gru"
    num_blocks: ClassVar[int] = 3
    saved: ClassVar[Mapping[str, int]] = {"rz": 2, "m": 1, "dn": 1}

    def specs(self, input_size: int, hidden_size: int, fan_in: int) -> Iterator[Spec]:
        yield from super().specs(input_size, hidden_size, fan_in)
        yield Spec("q", (hidden_size,), constant(0.0))

    def step_views(self, cache: Cache) -> Iterable[Step]:
        h, a, rz = cache["h"], cache["z"], cache["rz"]
        a_rz, n = a[..., : rz.shape[-1]], a[..., rz.shape[-1] :]
        return zip(a_rz, n, rz, *split_blocks(rz, 2), cache["m"], h, h[1:], strict=False)

    def forward(self, p: Params, u: Array, step: Step) -> None:
        a_rz, n, rz, r, z, m, h, h1 = step
        u_rz, u_n = u[:, : rz.shape[1]], u[:, rz.shape[1] :]
        np.add(a_rz, u_rz, rz)
        sigmoid(rz, rz)  # r, z
        np.add(u_n, p["q"], m)
        np.multiply(r, m, h1)
        n += h1
        np.tanh(n, n)  # n = tanh(a_n + r m), m = u_n + q
        np.subtract(h, n, h1)
        h1 *= z
        h1 += n  # h' = n + z (h - n)

    def local_gradients(self, p: Params, cache: Cache) -> Iterable[Step]:
        s, h, m, dn = cache["z"], cache["h"][:-1], cache["m"], cache["dn"]
        r, z = split_blocks(cache["rz"], 2)
        du_r, du_z, n = split_blocks(s, 3)
        np.multiply(n, n, dn)
        np.subtract(1, dn, dn)
        dn *= 1 - z  # dh'/da_n = (1 - z) (1 - n^2)
        np.multiply(z, 1 - z, du_z)
        du_z *= h - n  # dh'/du_z = (h - n) z (1 - z)
        np.multiply(r, dn, n)  # dh'/du_n = r dh'/da_n
        np.multiply(r, 1 - r, du_r)
        du_r *= m
        du_r *= dn  # dh'/du_r = m r (1 - r) dh'/da_n
        s3 = s.reshape(*s.shape[:2], 3, -1)
        return zip(s3[::-1], dn[::-1], z[::-1], strict=True)  # z = dh'/dh, bypassing U

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        s3, dn, z = step
        s3 *= dh[:, None]  # du_r, du_z, du_n
        dn *= dh  # da_n
        z *= dh
        return np.asarray(z)

    def parameter_gradients(self, cache: Cache, grads: Params) -> Array:
        du_n = cache["z"][..., -cache["dn"].shape[-1] :]
        grads["q"][...] += du_n.sum(axis=(0, 1))
        du_n[...] = cache["dn"]  # the reset gate scales u_n but not a_n
        return cache["z"]
