"""Run seed 004's RNN in real PyTorch and write its weights and answers to torch_rnn.npz.

pip install torch numpy && python tests/golden/make_torch_rnn.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn as nn

BATCH, TIME, INPUT, HIDDEN, OUTPUT = 6, 9, 10, 8, 1


class RNN(nn.Module):
    """As the document prints it, but for ``batch_first``."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int, batch_first: bool) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.rnn = nn.RNN(input_size, hidden_size, batch_first=batch_first)
        self.linear = nn.Linear(hidden_size, output_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h0 = torch.zeros(1, x.size(0), self.hidden_size)
        out, _ = self.rnn(x, h0)
        return self.linear(out[:, -1, :])


def main() -> None:
    torch.manual_seed(0)
    right = RNN(INPUT, HIDDEN, OUTPUT, batch_first=True)
    printed = RNN(INPUT, HIDDEN, OUTPUT, batch_first=False)
    printed.load_state_dict(right.state_dict())
    x = torch.randn(BATCH, TIME, INPUT)
    state = torch.randn(BATCH, HIDDEN)
    square = x[:, :BATCH]  # as many samples as time steps: the printed one runs, and reads one for the other
    with torch.no_grad():
        sequence, last = right.rnn(x)
        from_state, _ = right.rnn(x, state[None])
        answers = {
            "x": x,
            "state": state,
            "y": right(x),
            "sequence": sequence,
            "last": last[0],
            "sequence_from_state": from_state,
            "y_of_square": right(square),
            "y_as_printed": printed(square),
        }
    answers |= {f"weights/{name}": value for name, value in right.state_dict().items()}
    arrays = {name: value.numpy() for name, value in answers.items()}
    np.savez_compressed(Path(__file__).parent / "torch_rnn.npz", **arrays)


if __name__ == "__main__":
    main()
