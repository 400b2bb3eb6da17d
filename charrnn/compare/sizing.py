"""How large a network must be to have a given number of parameters."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from charrnn.errors import ConfigError
from charrnn.models import NetworkConfig, parameters


def hidden_for(shape: NetworkConfig, wanted: int) -> int:
    """The hidden size with which a network of this shape comes nearest to `wanted` parameters.

    They grow with the hidden size H, as H² in the end, so one unit more may make a few in a
    hundred of them. A ConfigError if even H = 1 has more.
    """

    def count(hidden: int) -> int:
        return parameters(replace(shape, hidden=hidden))

    if count(1) > wanted:
        raise ConfigError(
            f"params is {wanted:,}; with this text and {shape.layers} layer"
            f"{'s' * (shape.layers > 1)} a network of the cell {shape.cell} has at least "
            f"{count(1):,}."
        )
    most = 1
    while count(most) < wanted:
        most *= 2
    above = bisect_left(range(most + 1), wanted, lo=1, key=count)
    return min(max(1, above - 1), above, key=lambda hidden: abs(count(hidden) - wanted))
