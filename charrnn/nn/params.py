"""Parameters: names for the equations, one flat vector for everyone else.

A layer says which parameters it wants (`Spec`). `Params` lays them out in one vector and hands out
named views: a cell reads `p["U"]`, while the optimiser, the clipping norm and the checkpoint see
`p.flat`. The gradient of all parameters is a second `Params` of the same layout.
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
"""An array of symbol numbers, in any integer type."""
State = tuple[Array, ...]
"""What a model remembers between two calls: arrays whose first axis is the batch."""
Shape = tuple[int, ...]
Init = Callable[[np.random.Generator, Shape], Array]


class Spec(NamedTuple):
    """One parameter: its name, its shape and how it starts."""

    name: str
    shape: Shape
    init: Init


class Params:
    """Named views on one flat vector.

    `p["U"]` is an array, `p.scope("0")` the parameters whose names begin with `0.`, themselves a
    contiguous piece of the same vector. Writing into a view writes into the vector.
    """

    def __init__(self, shapes: Mapping[str, Shape], flat: Array) -> None:
        self.shapes = dict(shapes)
        self.flat = flat
        self._views: dict[str, Array] = {}
        self._parts: dict[str, Params] = {}
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
            self._parts[head] = Params(inner, flat[starts[head] : starts[head] + size])

    @classmethod
    def zeros(cls, specs: Iterable[Spec], dtype: DTypeLike) -> Params:
        """Lay the parameters out in the order of `specs`, all zero: a place to put values."""
        shapes = {s.name: s.shape for s in specs}
        return cls(shapes, np.zeros(sum(map(prod, shapes.values())), dtype))

    @classmethod
    def initialised(
        cls, specs: Iterable[Spec], rng: np.random.Generator, dtype: DTypeLike
    ) -> Params:
        """Lay the parameters out in the order of `specs` and draw their first values."""
        specs = list(specs)
        params = cls.zeros(specs, dtype)
        for spec in specs:
            params[spec.name][...] = spec.init(rng, spec.shape)
        return params

    @classmethod
    def from_arrays(cls, specs: Iterable[Spec], arrays: Mapping[str, Array]) -> Params:
        """Lay out these arrays in the order of `specs`, whose shapes they must have: a KeyError or
        a ValueError names one that is missing or has not.
        """
        shapes = {s.name: s.shape for s in specs}
        for name, wanted in shapes.items():
            if arrays[name].shape != wanted:
                raise ValueError(f"{name} is {arrays[name].shape}, not {wanted}")
        return cls(shapes, np.concatenate([arrays[name].ravel() for name in shapes]))

    def __getitem__(self, name: str) -> Array:
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def scope(self, name: str) -> Params:
        """The parameters named `name.*`; none at all is an empty set, not an error."""
        return self._parts.get(name) or Params({}, self.flat[:0])

    def zeros_like(self) -> Params:
        """The same layout, all zero: a place to sum gradients."""
        return Params(self.shapes, np.zeros_like(self.flat))

    def astype(self, dtype: DTypeLike) -> Params:
        """The same parameters, copied, in another precision."""
        return Params(self.shapes, self.flat.astype(dtype))


def prefixed(name: str, specs: Iterable[Spec]) -> Iterator[Spec]:
    """The same specs, each name with `name.` before it."""
    for spec in specs:
        yield spec._replace(name=f"{name}.{spec.name}")
