"""Parameters: named views on one flat vector.

A layer declares its parameters as `Spec`s. `Params` lays them out in one vector: the equations use
the views, such as `p["U"]`; the optimizer and the clipping norm use the vector `p.flat`. The
gradient is a second `Params` with the same layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
"""A floating-point array."""
Ids = NDArray[Any]
"""An array of token ids (indices into the vocabulary), in any integer type."""
IntArray = NDArray[Any]
"""An array of other integers, such as counts, lengths, indices or code points."""
State = tuple[Array, ...]
"""The recurrent state of a model or layer: arrays whose first axis is the batch."""
Shape = tuple[int, ...]
Init = Callable[[np.random.Generator, Shape], Array]
"""An initializer: draws an array of the given shape."""


class Spec(NamedTuple):
    """The declaration of a parameter: name, shape and initializer."""

    name: str
    shape: Shape
    init: Init


class Params:
    """Named views on one flat vector.

    `p["U"]` is an array. `p.scope("0")` holds the parameters whose names begin with `0.`, a
    contiguous part of the same vector. Writing to a view writes to the vector.
    """

    def __init__(self, shapes: Mapping[str, Shape], flat: Array) -> None:
        self.shapes = dict(shapes)
        self.flat = flat
        self._views: dict[str, Array] = {}
        self._scopes: dict[str, Params] = {}
        groups: dict[str, dict[str, Shape]] = {}
        starts: dict[str, int] = {}
        end = 0
        for name, shape in self.shapes.items():
            start, end = end, end + prod(shape)
            self._views[name] = flat[start:end].reshape(shape)
            head, dot, tail = name.partition(".")
            if dot:
                groups.setdefault(head, {})[tail] = shape
                starts.setdefault(head, start)
        if flat.shape != (end,):
            raise ValueError(f"these parameters need a vector of {end}, not of shape {flat.shape}")
        for head, inner in groups.items():
            size = sum(map(prod, inner.values()))
            self._scopes[head] = Params(inner, flat[starts[head] : starts[head] + size])

    @classmethod
    def zeros(cls, specs: Iterable[Spec], dtype: DTypeLike) -> Params:
        """Parameters in the order of `specs`, all zero."""
        shapes = {s.name: s.shape for s in specs}
        return cls(shapes, np.zeros(sum(map(prod, shapes.values())), dtype))

    @classmethod
    def initialized(
        cls, specs: Iterable[Spec], rng: np.random.Generator, dtype: DTypeLike
    ) -> Params:
        """Parameters in the order of `specs`, drawn by their initializers."""
        specs = list(specs)
        params = cls.zeros(specs, dtype)
        for spec in specs:
            params[spec.name][...] = spec.init(rng, spec.shape)
        return params

    @classmethod
    def from_arrays(cls, specs: Iterable[Spec], arrays: Mapping[str, Array]) -> Params:
        """Copy arrays into one vector in the order of `specs`. A KeyError if an array is missing, a
        ValueError if it has the wrong shape.
        """
        shapes = {s.name: s.shape for s in specs}
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise ValueError(f"{name} is {arrays[name].shape}, not {shape}")
        return cls(shapes, np.concatenate([arrays[name].ravel() for name in shapes]))

    def __getitem__(self, name: str) -> Array:
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def scope(self, name: str) -> Params:
        """The parameters named `name.*`; empty if there are none."""
        return self._scopes.get(name) or Params({}, self.flat[:0])

    def zeros_like(self) -> Params:
        """Zeros in the same layout, for gradients."""
        return Params(self.shapes, np.zeros_like(self.flat))

    def astype(self, dtype: DTypeLike) -> Params:
        """A copy in another precision."""
        return Params(self.shapes, self.flat.astype(dtype))


def prefixed(name: str, specs: Iterable[Spec]) -> Iterator[Spec]:
    """The same specs with `name.` before each name."""
    for spec in specs:
        yield spec._replace(name=f"{name}.{spec.name}")
