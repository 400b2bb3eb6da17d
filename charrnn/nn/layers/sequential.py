"""Layers of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.layers.base import Backward, Layer, Rng
from charrnn.nn.params import Array, Ids, Params, Spec, State, prefixed


class Sequential:
    """Layers one upon the other, each with a name; parameters are called `name.W` and so on."""

    def __init__(self, layers: Mapping[str, Layer]) -> None:
        self.layers = dict(layers)
        self._states = {
            name: len(layer.initial_state(0, np.float32)) for name, layer in layers.items()
        }
        self.width = list(self.layers.values())[-1].width if layers else 0

    def specs(self) -> Iterator[Spec]:
        for name, layer in self.layers.items():
            yield from prefixed(name, layer.specs())

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return tuple(s for layer in self.layers.values() for s in layer.initial_state(batch, dtype))

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        after: State = ()
        backwards: list[tuple[str, Backward, int]] = []
        for name, layer in self.layers.items():
            own = self._states[name]
            x, new, back = layer.forward(
                p.scope(name), x, state[len(after) : len(after) + own], rng, lengths
            )
            after += new
            backwards.append((name, back, own))

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dx: Array | None = dy
            before: State = ()
            for name, back, own in reversed(backwards):
                assert dx is not None, "only the lowest layer reads symbol numbers"
                cut = len(dstate) - own
                dx, new = back(grads.scope(name), dx, dstate[cut:])
                dstate, before = dstate[:cut], new + before
            return dx, before

        return np.asarray(x), after, backward


class Residual:
    """y = x + layer(x): a short way past a layer as wide as its input (He et al. 2016)."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.width = layer.width

    def specs(self) -> Iterator[Spec]:
        return self.layer.specs()

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return self.layer.initial_state(batch, dtype)

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        y, after, back = self.layer.forward(p, x, state, rng, lengths)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dx, before = back(grads, dy, dstate)
            assert dx is not None, "symbol numbers cannot be added to"
            return dx + dy, before

        return x + y, after, backward
