"""Write pytorch.npz: reference outputs and gradients of PyTorch's recurrent layers.

    pip install --group golden && python tests/golden/make_golden.py

Two layers, batch 3, 11 steps, 5 inputs, 4 hidden units, random initial state, float64.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

T, B, INPUT_SIZE, HIDDEN_SIZE, LAYERS = 11, 3, 5, 4, 2


def main() -> None:
    torch.manual_seed(7)
    arrays: dict[str, Any] = {}
    for kind in ("RNN", "LSTM", "GRU"):
        net = getattr(torch.nn, kind)(INPUT_SIZE, HIDDEN_SIZE, LAYERS).double()
        x = torch.randn(T, B, INPUT_SIZE, dtype=torch.float64, requires_grad=True)
        count = 2 if kind == "LSTM" else 1
        state = [
            torch.randn(LAYERS, B, HIDDEN_SIZE, dtype=torch.float64, requires_grad=True)
            for _ in range(count)
        ]
        y, final = net(x, tuple(state) if count == 2 else state[0])
        final = final if count == 2 else (final,)
        dy, dfinal = torch.randn_like(y), [torch.randn_like(f) for f in final]
        total = (y * dy).sum() + sum((f * d).sum() for f, d in zip(final, dfinal, strict=True))
        total.backward()
        tensors = {"x": x, "dx": x.grad, "y": y, "dy": dy}
        for n in range(count):
            tensors |= {f"state{n}": state[n], f"dstate{n}": state[n].grad}
            tensors |= {f"final{n}": final[n], f"dfinal{n}": dfinal[n]}
        for name, parameter in net.named_parameters():
            tensors |= {name: parameter, f"d{name}": parameter.grad}
        arrays |= {f"{kind}/{n}": t.detach().numpy() for n, t in tensors.items()}
    np.savez_compressed(Path(__file__).parent / "pytorch.npz", **arrays)


if __name__ == "__main__":
    main()
