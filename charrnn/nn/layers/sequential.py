"""Layers made of other layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.layers.base import INFERENCE, Backward, Context, Layer, state_zeros_like
from charrnn.nn.params import Array, Ids, Params, Spec, State, prefixed


class Sequential:
    """Named layers, each applied to the output of the one before.

    Parameters are called `name.W` and so on. The state is that of all layers, one after the other.
    """

    def __init__(self, layers: Mapping[str, Layer]) -> None:
        self.layers = dict(layers)
        self.output_size = list(self.layers.values())[-1].output_size
        self._slices: dict[str, slice] = {}
        start = 0
        for name, layer in self.layers.items():
            end = start + len(layer.initial_state(0, np.float32))
            self._slices[name] = slice(start, end)
            start = end

    def split(self, state: State) -> dict[str, State]:
        """The state of each layer, by the name of the layer."""
        return {name: state[part] for name, part in self._slices.items()}

    def specs(self) -> Iterator[Spec]:
        for name, layer in self.layers.items():
            yield from prefixed(name, layer.specs())

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return tuple(s for layer in self.layers.values() for s in layer.initial_state(batch, dtype))

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        slices = self._slices
        final: State = ()
        backwards: dict[str, Backward] = {}
        for name, layer in self.layers.items():
            x, new, backwards[name] = layer.forward(p.scope(name), x, state[slices[name]], context)
            final += new

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dx: Array | None = dy
            dinitial: State = ()
            for name in reversed(backwards):
                assert dx is not None, "only the lowest layer reads token ids"
                dx, new = backwards[name](grads.scope(name), dx, dstate[slices[name]])
                dinitial = new + dinitial
            return dx, dinitial

        return np.asarray(x), final, backward


class Residual:
    """y = x + layer(x), a skip connection around a layer whose output has the size of its input
    (He et al. 2016).
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.output_size = layer.output_size

    def specs(self) -> Iterator[Spec]:
        return self.layer.specs()

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return self.layer.initial_state(batch, dtype)

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        y, final, layer_backward = self.layer.forward(p, x, state, context)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dx, dinitial = layer_backward(grads, dy, dstate)
            assert dx is not None, "a residual layer cannot read token ids"
            return dx + dy, dinitial

        return x + y, final, backward


class Stateless:
    """A layer that starts every sequence from its initial state and discards the final state."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.output_size = layer.output_size

    def specs(self) -> Iterator[Spec]:
        return self.layer.specs()

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return ()

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        initial = self.layer.initial_state(x.shape[1], p.flat.dtype)
        y, final, layer_backward = self.layer.forward(p, x, initial, context)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dx, _ = layer_backward(grads, dy, state_zeros_like(final))
            return dx, ()

        return y, (), backward
