"""Torch networks as classifiers for `held_out_losses`: `fit(a, y) -> predict`, trained for a fixed number of epochs."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mmnb.instruments.batches import length
from mmnb.instruments.information.held_out import Fit, Predict


def trained(
    make: Callable[[Any, int], nn.Module],
    *,
    epochs: int = 20,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    weight_decay: float = 1e-2,
    seed: int = 0,
) -> Fit:
    """A classifier that trains a fresh network by cross-entropy with AdamW and a one-cycle learning rate.

    Args:
        make: (a, classes) -> network; network(a) -> (m, classes) logits, or network(*a) where a is a tuple.
        epochs: All are used; nothing is stopped early.
        batch_size, weight_decay: Of AdamW.
        learning_rate: Its peak.
        seed: Of weights and batches; torch's global generator stays as it was.
    Returns: fit(a, y) -> predict, for `held_out_losses`; `predict.model` is the network.
    Raises: ValueError on counts below 1; FloatingPointError when fitting, if the loss is not finite.
    """
    if min(epochs, batch_size) < 1:
        raise ValueError(f"trained: got epochs={epochs}, batch_size={batch_size}; expected at least 1")

    def fit(a: Any, y: np.ndarray) -> Predict:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            a, label = _tensors(a), torch.from_numpy(np.asarray(y, dtype=np.int64))
            parts = a if isinstance(a, tuple) else (a,)
            model = make(a, int(label.max()) + 1).train()
            n = length(a)
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
            new = _tensors(new)
            with torch.no_grad():
                logits = model(*new) if isinstance(new, tuple) else model(new)
            return logits.double().softmax(1).numpy()

        predict.model = model
        return predict

    return fit


def mlp(hidden: Sequence[int] = (128,), **options: Any) -> Fit:
    """`trained` with a perceptron on the flattened and concatenated modalities, standardised on the training rows.

    Args:
        hidden: Widths of the hidden layers.
        options: As for `trained`.
    Example:
        >>> a = np.repeat([[0.0], [1.0]], 50, axis=0)
        >>> predict = mlp((8,), epochs=100, batch_size=5)(a, (a[:, 0] > 0).astype(int))
        >>> bool(predict(np.array([[1.0]]))[0, 1] > 0.9)
        True
    """
    return trained(lambda a, classes: Perceptron(a, hidden, classes), **options)


class Perceptron(nn.Module):
    """Standardised inputs, hidden layers with ReLU, logits. Takes one modality, or several and concatenates them."""

    def __init__(self, a: Any, hidden: Sequence[int], classes: int) -> None:
        super().__init__()
        inputs = self._join(*a) if isinstance(a, tuple) else self._join(a)
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


def _tensors(a: Any) -> Any:
    if isinstance(a, tuple):
        return tuple(_tensors(part) for part in a)
    tensor = torch.as_tensor(a)
    tensor = tensor.float() if tensor.dtype == torch.float64 else tensor
    return tensor[:, None] if tensor.ndim == 1 else tensor
