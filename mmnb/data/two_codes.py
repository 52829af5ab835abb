"""Two noisy codes: small data sets for which it is known whether two encoders must be trained together."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

TASKS = ("paired", "apart", "mixed", "nothing")
Part = tuple[dict[str, Tensor], Tensor]


def sample(task: str, sizes: tuple[int, int, int], seed: int, noise: float = 0.2) -> tuple[Part, Part, Part]:
    """Draw training, validation and test examples of two modalities `a` and `b`, each a one-hot digit plus normal noise.

    "paired": two independent digits, the label is the parity of their sum: no encoder alone can learn anything.
    "apart": both show the label, but each is silent (all zeros) in half of the examples: nothing can be gained by looking
    at both at once that an average of two predictions would not give.
    "mixed": two digits of the same half (0-3 or 4-7), label 2 * half + parity of their sum, four classes: each code alone tells
    the half, so 1/2 is right, and both together all.
    "nothing": two digits, and a label 0 or 1 that depends on neither.

    Returns for each of the three `sizes` (inputs name -> (n, 10) float32, label (n,) int64).

    Example:
        >>> (inputs, label), *_ = sample("paired", (5, 1, 1), seed=0, noise=0.0)
        >>> bool(((inputs["a"].argmax(1) + inputs["b"].argmax(1)) % 2 == label).all())
        True
    """
    if task not in TASKS or len(sizes) != 3 or min(sizes) < 1 or noise < 0:
        expected = f"one of {', '.join(TASKS)}, three numbers >= 1, noise >= 0"
        raise ValueError(f"two_codes.sample: got task={task!r}, sizes={sizes}, noise={noise}; expected {expected}")
    draw = torch.Generator().manual_seed(seed)
    parts = []
    for n in sizes:
        first, other = (torch.randint(10, (n,), generator=draw) for _ in "ab")
        if task == "mixed":
            first = torch.randint(8, (n,), generator=draw)  # 0-3 and 4-7 hold as many even as odd digits
            other = torch.randint(4, (n,), generator=draw) + 4 * (first >= 4)
        digits = {"a": first, "b": first if task == "apart" else other}
        inputs = {
            name: one_hot(d, 10).float() + noise * torch.randn(n, 10, generator=draw) for name, d in digits.items()
        }
        if task == "apart":
            inputs = {name: x * (torch.rand(n, 1, generator=draw) < 0.5) for name, x in inputs.items()}
        parity = (first + other) % 2
        label = {"paired": parity, "apart": first, "mixed": 2 * (first >= 4) + parity}.get(task)
        parts.append((inputs, torch.randint(2, (n,), generator=draw) if label is None else label))
    return parts[0], parts[1], parts[2]
