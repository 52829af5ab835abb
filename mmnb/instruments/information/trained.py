"""Torch networks as classifiers for `held_out_losses`: `fit(x, y) -> predict`, trained for a fixed number of epochs."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mmnb.instruments.information.held_out import Predict, rows


def trained(
    make: Callable[[Any, int], nn.Module],
    *,
    epochs: int = 20,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    weight_decay: float = 1e-2,
    seed: int = 0,
) -> Callable[[Any, np.ndarray], Predict]:
    """A classifier that trains a fresh network by cross-entropy with AdamW and a one-cycle learning rate, always for all epochs.

    Args:    make(x, classes) -> network with network(x) -> (m, classes) logits, or network(*x) where x is a tuple; epochs, batch_size,
             learning_rate (peak), weight_decay, as usual; seed of weights and batches; torch's global generator is left as it was.
    Returns: fit(x, y) -> predict, for `held_out_losses`.
    Raises:  ValueError on counts below 1; FloatingPointError, when fitting, if the loss is no longer finite.
    """
    if min(epochs, batch_size) < 1:
        raise ValueError(f"trained: got epochs={epochs}, batch_size={batch_size}; expected at least 1")

    def fit(x: Any, y: np.ndarray) -> Predict:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            x, label = _tensors(x), torch.from_numpy(np.asarray(y, dtype=np.int64))
            parts = x if isinstance(x, tuple) else (x,)
            model = make(x, int(label.max()) + 1).train()
            n = rows(x)
            steps = epochs * -(-n // batch_size)
            optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=learning_rate, total_steps=max(steps, 2))
            for _ in range(epochs):
                for index in torch.randperm(n).split(batch_size):
                    loss = functional.cross_entropy(model(*(part[index] for part in parts)), label[index])
                    if not loss.isfinite():
                        raise FloatingPointError(f"trained: the loss is {loss.item()}; try a smaller learning_rate")
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    schedule.step()
        model.eval()

        def predict(new: Any) -> np.ndarray:
            with torch.no_grad():
                return _logits(model, _tensors(new)).double().softmax(1).numpy()

        predict.model = model  # for who wants to test its robustness as well
        return predict

    return fit


def mlp(hidden: Sequence[int] = (128,), **options: Any) -> Callable[[Any, np.ndarray], Predict]:
    """`trained` with a perceptron on the flattened and joined modalities, each feature standardised on the training rows.

    Args:    hidden, widths of the hidden layers; options, as for `trained`.
    Example:
        >>> x = np.repeat([[0.0], [1.0]], 50, axis=0)
        >>> predict = mlp((8,), epochs=100, batch_size=5)(x, (x[:, 0] > 0).astype(int))
        >>> bool(predict(np.array([[1.0]]))[0, 1] > 0.9)
        True
    """
    return trained(lambda x, classes: Perceptron(x, hidden, classes), **options)


class Perceptron(nn.Module):
    """Standardised inputs, hidden layers with ReLU, logits. Takes one modality or several, which it joins."""

    def __init__(self, x: Any, hidden: Sequence[int], classes: int) -> None:
        super().__init__()
        inputs = self._join(*x) if isinstance(x, tuple) else self._join(x)
        self.register_buffer("mean", inputs.mean(0))
        scale = inputs.std(0, correction=0)
        self.register_buffer("scale", torch.where(scale > 0, scale, 1.0))
        widths = [inputs.shape[1], *hidden]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Linear(widths[-1], classes))

    @staticmethod
    def _join(*modalities: Tensor) -> Tensor:
        return torch.cat([part.flatten(1).float() for part in modalities], 1)

    def forward(self, *modalities: Tensor) -> Tensor:
        return self.body((self._join(*modalities) - self.mean) / self.scale)


def _tensors(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(_tensors(part) for part in x)
    tensor = torch.as_tensor(x)
    tensor = tensor.float() if tensor.dtype == torch.float64 else tensor
    return tensor[:, None] if tensor.ndim == 1 else tensor


def _logits(model: nn.Module, x: Any) -> Tensor:
    return model(*x) if isinstance(x, tuple) else model(x)
