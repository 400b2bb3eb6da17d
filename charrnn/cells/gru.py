"""The gated recurrent unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from charrnn.cells.base import Cell, Step, Trace
from charrnn.functional import blocks, sigmoid
from charrnn.params import Array, Params, Spec, constant


class GRU(Cell):
    """r = sigmoid(a_r + u_r)              reset gate
    z = sigmoid(a_z + u_z)              update gate
    n = tanh(a_n + r (u_n + q))         candidate
    h' = (1 - z) n + z h

    Cho et al. (2014), in the variant of PyTorch and cuDNN: the reset gate acts after the recurrent
    product, so the candidate has a recurrent bias q of its own. (The paper's first version resets h
    before the product.)
    """

    name: ClassVar[str] = "gru"
    gates: ClassVar[int] = 3
    kept: ClassVar[tuple[str, ...]] = ("m", "dn")

    def specs(self, inputs: int, hidden: int, fan_in: int) -> Iterator[Spec]:
        yield from super().specs(inputs, hidden, fan_in)
        yield Spec("q", (hidden,), constant(0.0))

    def steps(self, k: Trace) -> Iterable[Step]:
        h, a = k["h"], k["z"]
        rz = a[..., : a.shape[-1] // 3 * 2]
        return zip(rz, *blocks(a, 3), k["m"], h, h[1:], strict=False)

    def forward(self, p: Params, u: Array, step: Step) -> None:
        rz, r, z, n, m, h, h1 = step
        hidden = n.shape[-1]
        rz += u[:, : 2 * hidden]
        sigmoid(rz, rz)  # r, z
        np.add(u[:, 2 * hidden :], p["q"], m)
        np.multiply(r, m, h1)
        n += h1
        np.tanh(n, n)  # n = tanh(a_n + r m), m = u_n + q
        np.subtract(h, n, h1)
        h1 *= z
        h1 += n  # h' = n + z (h - n)

    def linearise(self, p: Params, k: Trace) -> Iterable[Step]:
        s, h, m, dn = k["z"], k["h"][:-1], k["m"], k["dn"]
        r, z, n = blocks(s, 3)
        carry = z.copy()  # dh'/dh, the way past U
        np.multiply(n, n, dn)
        np.subtract(1, dn, dn)
        dn *= 1 - carry  # dh'/da_n = (1 - z) (1 - n^2)
        z -= z * z
        z *= h - n  # dh'/du_z = (h - n) z (1 - z)
        np.multiply(r, dn, n)  # dh'/du_n = r dh'/da_n
        r -= r * r
        r *= m
        r *= dn  # dh'/du_r = m r (1 - r) dh'/da_n
        s3 = s.reshape(*s.shape[:2], 3, -1)
        return zip(s3[::-1], dn[::-1], carry[::-1], strict=True)

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        s3, dn, carry = step
        s3 *= dh[:, None]  # du_r, du_z, du_n
        dn *= dh  # da_n
        carry *= dh
        return np.asarray(carry)

    def finish(self, k: Trace, grads: Params) -> Array:
        du_n = k["z"][..., -k["dn"].shape[-1] :]
        grads["q"][...] += du_n.sum(axis=(0, 1))
        du_n[...] = k["dn"]  # a_n enters past the reset gate, u_n through it
        return k["z"]
