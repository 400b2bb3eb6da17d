"""Find the hidden size that gives a network a certain number of parameters."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from charrnn.errors import ConfigError
from charrnn.models import NetworkConfig, count_parameters


def hidden_for(shape: NetworkConfig, target: int) -> int:
    """The hidden size H for which the number of parameters is closest to `target`.

    The number grows as H² for large H, so the result may differ from the target by a few per cent.
    Raises ConfigError if even H = 1 has more parameters.
    """

    def count(hidden: int) -> int:
        return count_parameters(replace(shape, hidden=hidden))

    if count(1) > target:
        raise ConfigError(
            f"params is {target:,}; with this text and {shape.layers} layer"
            f"{'s' * (shape.layers > 1)} a network of the cell {shape.cell} has at least "
            f"{count(1):,}."
        )
    upper = 1
    while count(upper) < target:
        upper *= 2
    above = bisect_left(range(upper + 1), target, lo=1, key=count)
    return min(max(1, above - 1), above, key=lambda hidden: abs(count(hidden) - target))
