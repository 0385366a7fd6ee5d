"""Have real PyTorch save state dicts, and write what the modules answer to torch_files/answers.npz, channels last.

pip install torch safetensors numpy && python tests/golden/make_torch_files.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

FOLDER = Path(__file__).parent / "torch_files"
answers: dict[str, np.ndarray] = {}


def keep(name: str, module: nn.Module, x: np.ndarray) -> None:
    """``x`` and what is kept have their channels last."""
    with torch.no_grad():
        for value in module.state_dict().values():
            if value.dtype.is_floating_point:
                value += torch.rand(value.shape) * 0.3
    module.eval()
    given = torch.tensor(np.moveaxis(x, -1, 1).copy() if x.ndim > 2 and x.dtype.kind == "f" else x)
    with torch.no_grad():
        y = module(given).numpy()
    save_file({k: v.contiguous() for k, v in module.state_dict().items()}, FOLDER / f"{name}.safetensors")
    answers[f"{name}/names"] = np.array(list(module.state_dict()))
    answers[f"{name}/x"] = x
    answers[f"{name}/y"] = np.moveaxis(y, 1, -1) if y.ndim > 3 else y


def images(rng: np.random.Generator) -> None:
    """As in torchvision's older models: features, then a classifier."""
    module = nn.Sequential(
        nn.Conv2d(4, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, groups=2),
        nn.PReLU(8),
        nn.Flatten(),
        nn.BatchNorm1d(8 * 2 * 3),
        nn.Dropout(0.5),
        nn.Linear(48, 10),
        nn.ReLU(),
        nn.Linear(10, 10),
        nn.Tanh(),
        nn.Linear(10, 3),
    )
    keep("images", module, rng.random((3, 8, 10, 4), np.float32))


class Branches(nn.Module):
    """Two flattened images side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(3, 6, 3, groups=3, padding=1)
        self.by_channel = nn.Conv2d(6, 6, 3, groups=6, padding=1, bias=False)
        self.mixing = nn.Conv2d(6, 4, 1)
        self.norm = nn.GroupNorm(2, 4)
        self.top = nn.Linear(4 * 4 * 5 + 3 * 4 * 5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.mixing(self.by_channel(self.depthwise(x))))
        return self.top(torch.cat([torch.flatten(y, 1), torch.flatten(x, 1)], 1))


def branches(rng: np.random.Generator) -> None:
    keep("branches", Branches(), rng.random((3, 4, 5, 3), np.float32))


def signals(rng: np.random.Generator) -> None:
    module = nn.Sequential(nn.Conv1d(4, 6, 3), nn.ELU(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(6 * 4, 2))
    keep("signals", module, rng.random((3, 10, 4), np.float32))


def volumes(rng: np.random.Generator) -> None:
    module = nn.Sequential(
        nn.Conv3d(2, 3, 2), nn.ConvTranspose3d(3, 2, 2, stride=2), nn.Flatten(), nn.Linear(2 * 6 * 4 * 8, 2)
    )
    keep("volumes", module, rng.random((2, 4, 3, 5, 2), np.float32))


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(5, 6 * 3 * 4)
        self.bn = nn.BatchNorm1d(6 * 3 * 4)
        self.up1 = nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.up2 = nn.ConvTranspose2d(4, 1, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn(self.fc(x))).view(-1, 6, 3, 4)
        return torch.tanh(self.up2(torch.relu(self.bn1(self.up1(y)))))


def generator(rng: np.random.Generator) -> None:
    keep("generator", Generator(), rng.random((3, 5), np.float32))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.lstm = nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(6, 5, batch_first=True)
        self.norm = nn.LayerNorm(5)
        self.rnn = nn.RNN(5, 4, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.lstm(self.embedding(x))
        y, _ = self.gru(y)
        y, _ = self.rnn(self.norm(y))
        return self.head(y[:, -1])


def words(rng: np.random.Generator) -> None:
    keep("words", Words(), rng.integers(0, 9, (3, 6)))


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 6, 1)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.norm1 = nn.LayerNorm(6)
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 6)
        self.norm2 = nn.LayerNorm(6)
        self.top = nn.Linear(5 * 6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x).transpose(1, 2)
        y = self.norm1(y + self.attention(y, y, y, need_weights=False)[0])
        y = self.norm2(y + self.second(torch.relu(self.first(y))))
        return self.top(torch.flatten(y, 1))


def attending(rng: np.random.Generator) -> None:
    keep("attending", Attending(), rng.random((3, 5, 3), np.float32))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for seed, make in enumerate((images, branches, signals, volumes, generator, words, attending)):
        torch.manual_seed(seed)
        make(np.random.default_rng(seed))
    np.savez_compressed(FOLDER / "answers.npz", **answers)
