"""Moving the modalities: along the gap, by their own means, or by a rotation. Three ways to close a gap that are not the same."""

import torch
from torch import Tensor

from mmnb.instruments.gap.sides import Rows, finite_rows, normalize, two_sides, unit_rows


def shift(x: Rows, y: Rows, lam: float, *, sides: str = "both", vector: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Move the modalities towards each other along the gap and put them back on the sphere.

    Formula: x <- norm(x - lam Delta), y <- norm(y + lam Delta): lam = 0 stays, about 1/2 closes the gap, larger ones swap the sides.
    Args:    x, y, (n, d) unit rows, numbers of rows may differ; lam, real; sides, "both", or "x" or "y" to move one only; vector, (d,) another
             Delta than that of these rows (from training data, say).
    Returns: the two moved sides, float64; the inputs stay as they are. Raises: as `gap_vector`; ValueError on other sides or vector.
    Example:
        >>> x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        >>> shift(x, y, 0.5)
        (tensor([[0.7071, 0.7071]], dtype=torch.float64), tensor([[0.7071, 0.7071]], dtype=torch.float64))

    Source:  Liang et al. 2022, section 4.2. Their code says delta = 2 lam |Delta| (`lam_from_delta`) and normalises arrays in place.
    """
    a, b = two_sides(x, y, "shift", paired=False)
    if sides not in ("both", "x", "y"):
        raise ValueError(f"shift: got sides={sides!r}; expected 'both', 'x' or 'y'")
    delta = a.mean(0) - b.mean(0) if vector is None else finite_rows(vector[None], "shift: vector")[0]
    if delta.shape != a.shape[1:]:
        raise ValueError(f"shift: got a vector of {len(delta)} numbers; expected {a.shape[1]}, one per dimension")
    moved = (a if sides == "y" else a - lam * delta), (b if sides == "x" else b + lam * delta)
    return normalize(moved[0]), normalize(moved[1])


def lam_from_delta(x: Rows, y: Rows, delta: float) -> float:
    """The lam of `shift` for the step `delta` of the released code, which divides the gap vector by its length and gives each side half.

    Formula: lam = delta / (2 |Delta|).
    Example:
        >>> lam_from_delta(torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]]), 1.0)
        0.25

    Source:  github.com/Weixin-Liang/Modality-Gap, Figure_3_Contrastive_Learning.
    """
    a, b = two_sides(x, y, "lam_from_delta", paired=False)
    length = (a.mean(0) - b.mean(0)).norm().item()
    if length == 0:
        raise ValueError("lam_from_delta: the gap is 0; expected two different means")
    return delta / (2 * length)


def signed_gap(x: Rows, y: Rows, reference: Tensor) -> float:
    """The gap with a sign: negative when the sides have changed places relative to `reference`, (d,), the gap vector before a move.

    Example:
        >>> x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]])
        >>> signed_gap(y, x, torch.tensor([2.0, 0.0]))
        -2.0
    """
    a, b = two_sides(x, y, "signed_gap", paired=False)
    delta = a.mean(0) - b.mean(0)
    sign = 1.0 if (delta @ reference.to(delta)).item() >= 0 else -1.0
    return sign * delta.norm().item()


def center(x: Rows, of: Rows | None = None) -> Tensor:
    """Remove a modality's own mean and put the rows back on the sphere. Done to both sides it closes the gap and keeps the ranks.

    Formula: norm(x - mean(of)), of = x if not given.
    Args:    x, (n, d) unit rows; of, (m, d) unit rows to take the mean from: training rows, where x is to be judged held out.
    Returns: (n, d) float64. Raises: as `gap_vector`; ValueError when a row is the mean itself.
    Example:
        >>> center(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        tensor([[ 0.7071, -0.7071],
                [-0.7071,  0.7071]], dtype=torch.float64)

    Source:  the "collapse" of Zhang et al. 2024 (C3), and others. It is not a shift: each side moves by its own mean, not along Delta.
    """
    a = unit_rows(x, "center: x")
    source = a if of is None else unit_rows(of, "center: of")
    if source.shape[1] != a.shape[1]:
        raise ValueError(f"center: x has {a.shape[1]} dimensions and `of` {source.shape[1]}; expected one common space")
    return normalize(a - source.mean(0))


def procrustes(x: Rows, y: Rows) -> Tensor:
    """The rotation (or reflection) that brings y as near to its partners in x as any can: use `y @ procrustes(x, y)`.

    Formula: argmin over orthogonal R of sum_i |x_i - y_i R|^2 = V U^T, with x^T y = U S V^T.
    Args:    x, y, (n, d) unit rows, pairs.
    Returns: R, (d, d) float64, R R^T = 1. Raises: as `gap_vector`.
    Example:
        >>> x, turn = torch.eye(2), torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
        >>> torch.equal((x @ turn.T) @ procrustes(x, x @ turn.T).float(), x)
        True

    Source:  the "amended" start of Liang et al. 2022, section 4.4; W of their code is R^T.
    """
    a, b = two_sides(x, y, "procrustes")
    u, _, vt = torch.linalg.svd(a.T @ b)
    return vt.T @ u.T
