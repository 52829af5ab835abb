"""What reliance keeps of a pass over the grid: the predicted class of every cell, and what the false cells say on average."""

from typing import ClassVar

import torch
from torch import Tensor

from mmnb.instruments.grid.accumulators import Accumulator, Block, Outputs, TruePairs

BINS = 20  # of the histogram of entropies
_MOST_BYTES = 2**30


class Predictions(Accumulator):
    """The predicted class of every cell plus 1, and 0 where a cell was not scored: (n, n), one byte a cell for up to 254 classes.

    Args:
        most_bytes: Refuse a larger table.

    Raises:
        ValueError: In `start`, for a table above `most_bytes`.
    """

    names: ClassVar[tuple[str, ...]] = ("grid",)

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self.most_bytes = most_bytes

    @staticmethod
    def kind(classes: int) -> torch.dtype:
        """The smallest type that holds them and that processes can add up."""
        return torch.uint8 if classes < 255 else torch.int32

    def start(self, true: TruePairs) -> None:
        n, kind = len(true.cells), self.kind(true.classes)
        if n * n * kind.itemsize > self.most_bytes:
            raise ValueError(
                f"Predictions: got {n} examples, whose {n * n:.3g} predictions take "
                f"{n * n * kind.itemsize / 1e9:.2f} GB; expected at most "
                f"{self.most_bytes / 1e9:.2f} GB: take fewer examples, or another most_bytes"
            )
        self.grid = torch.zeros(n, n, dtype=kind, device=true.cells.device)

    def add(self, block: Block) -> None:
        self.grid[block.rows, block.columns] += (block.prediction + 1).to(self.grid.dtype)

    def without_true_pairs(self) -> Tensor:
        """The table on the CPU, its diagonal 0."""
        return self.grid.cpu().clone().fill_diagonal_(0)


class Others(Accumulator):
    """Sums over the false cells, i != j, of the model's probabilities and of their entropies.

    Attributes:
        row, column: (n, classes) float64, sums of probabilities over columns and over rows.
        entropy_row, entropy_column: (n,), sums of entropies, each over its greatest, log(classes): from 0 to 1.
        bins: (20,) int64, the histogram of those entropies over all false cells.
        count: (n,) int64, false cells in each row, and as many in each column.
    """

    names = ("row", "column", "entropy_row", "entropy_column", "bins", "count")

    def start(self, true: TruePairs) -> None:
        n, device = len(true.cells), true.cells.device
        self.row, self.column = (torch.zeros(n, true.classes, dtype=torch.float64, device=device) for _ in range(2))
        self.entropy_row, self.entropy_column = (torch.zeros(n, dtype=torch.float64, device=device) for _ in range(2))
        self.bins = torch.zeros(BINS, dtype=torch.int64, device=device)
        self.count = torch.zeros(n, dtype=torch.int64, device=device)

    def add(self, block: Block) -> None:
        probabilities, entropy = probabilities_and_entropy(block)
        false = block.i != block.j
        probabilities.mul_(false[..., None])
        self.bins += entropy[false].mul(BINS).long().clamp(0, BINS - 1).bincount(minlength=BINS)
        entropy = entropy.mul(false)
        for values, (row, column) in ((probabilities, ("row", "column")), (entropy, ("entropy_row", "entropy_column"))):
            getattr(self, row)[block.rows] += block.by_row(values)
            getattr(self, column)[block.columns] += block.by_column(values)
        self.count[block.rows] += block.by_row(false.long())

    def means(self) -> tuple[Tensor, Tensor]:
        """Mean probabilities over the other partners, on the CPU: for a_i over false b, and for b_i over false a."""
        count = self.count.cpu()[:, None]
        return self.row.cpu() / count, self.column.cpu() / count


def probabilities_and_entropy(found: Outputs) -> tuple[Tensor, Tensor]:
    """(..., classes) and (...), the entropy over log(classes); in the scores' precision, at least float32."""
    scores = found.outputs.float() if found.outputs.element_size() < 4 else found.outputs
    if scores.shape[-1] == 1:
        scores = torch.nn.functional.pad(scores, (1, 0))
    logs = scores.log_softmax(-1)
    probabilities = logs.exp()
    entropy = -(probabilities * logs.clamp(min=-1e4)).sum(-1)  # 0 · -inf is 0
    return probabilities, entropy / torch.tensor(found.classes).log().item()
