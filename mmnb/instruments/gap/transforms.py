"""Three ways to close the gap, with different effects on retrieval: a shift along the gap, centring, and a rotation."""

import math

import torch
from torch import Tensor

from mmnb.instruments import inputs
from mmnb.instruments.gap.embeddings import EPS, Embeddings, check_embeddings, mean_rounding, scaled, unit_rows
from mmnb.instruments.gap.measures import gap_above_rounding, gap_vector


def shift(
    a: Embeddings, b: Embeddings, lam: float, *, sides: str = "both", vector: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Move the modalities towards each other along the gap, and back onto the sphere.

    `a <- norm(a - lam Delta)`, `b <- norm(b + lam Delta)`: about 1/2 closes the gap, more exchanges the modalities.

    Args:
        a, b: (n, d) and (m, d) unit rows.
        lam: Any real number.
        sides: "both", or "a" or "b" to move one only.
        vector: (d,) another Delta than that of these rows, from training data for example.
    Example:
        >>> shift(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 0.5)
        (tensor([[0.7071, 0.7071]], dtype=torch.float64), tensor([[0.7071, 0.7071]], dtype=torch.float64))

    Source: Liang et al. 2022, section 4.2. Their code has `delta = 2 lam |Delta|`, see `lam_from_delta`.
    """
    a, b = check_embeddings(a, b, paired=False)
    if sides not in ("both", "a", "b"):
        raise ValueError(f"shift: got sides={sides!r}; expected 'both', 'a' or 'b'")
    if not math.isfinite(lam):
        raise ValueError(f"shift: got lam={lam}; expected a finite number")
    delta = a.mean(0) - b.mean(0) if vector is None else _vector(vector, a, "shift: vector")
    moved = a if sides == "b" else a - lam * delta, b if sides == "a" else b + lam * delta
    least = abs(lam) * mean_rounding(a, b) + EPS
    return scaled(moved[0], "shift", least), scaled(moved[1], "shift", least)


def lam_from_delta(a: Embeddings, b: Embeddings, delta: float) -> float:
    """The `lam` of `shift` for a step `delta` of the released code: `delta / (2 |Delta|)`.

    Example:
        >>> lam_from_delta(torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]]), 1.0)
        0.25

    Source: github.com/Weixin-Liang/Modality-Gap, Figure_3_Contrastive_Learning.
    """
    return delta / (2 * gap_above_rounding(a, b, False, "lam_from_delta").norm().item())


def signed_gap(a: Embeddings, b: Embeddings, reference: Tensor) -> float:
    """The gap, negative where the modalities have changed places since `reference`, the (d,) gap vector before a shift.

    Raises: ValueError on a reference of another length, with NaN or infinity, or of zeros: it has no direction.
    Example:
        >>> a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]])
        >>> signed_gap(b, a, gap_vector(a, b))
        -2.0
    """
    delta = gap_vector(a, b, paired=False)
    reference = _vector(reference, delta[None], "signed_gap: reference")
    if not reference.any():
        raise ValueError("signed_gap: reference is 0; expected a gap vector, which has a direction")
    sign = 1.0 if (delta @ reference).item() >= 0 else -1.0
    return sign * delta.norm().item()


def center(a: Embeddings, *, of: Embeddings | None = None) -> Tensor:
    """Remove a modality's mean and scale the rows back to length 1: `norm(a - mean(of))`.

    Applied to both modalities it closes the gap and preserves the ranks. It is not a shift: each moves by its own mean.

    Args:
        a: (n, d) unit rows.
        of: (m, d) unit rows whose mean is removed, such as the training rows of a held-out `a`; None takes `a` itself.
    Example:
        >>> center(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        tensor([[ 0.7071, -0.7071],
                [-0.7071,  0.7071]], dtype=torch.float64)

    Source: The "collapse" of Zhang et al. 2024 (C3), and others.
    """
    a = unit_rows(a, "a")
    source = a if of is None else unit_rows(of, "of")
    if source.shape[1] != a.shape[1]:
        raise ValueError(f"center: a has {a.shape[1]} dimensions and `of` {source.shape[1]}; expected one common space")
    return scaled(a - source.mean(0), "center", mean_rounding(source))


def procrustes(a: Embeddings, b: Embeddings) -> Tensor:
    """The orthogonal (d, d) matrix that maps b closest to its partners in a; use `b @ procrustes(a, b)`.

    `argmin_R sum_i |a_i - b_i R|^2 = V U^T` over orthogonal R, where `a^T b = U S V^T`, (n, d) unit rows.

    Example:
        >>> a, turn = torch.eye(2), torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
        >>> torch.equal((a @ turn.T) @ procrustes(a, a @ turn.T).float(), a)
        True

    Source: The "amended" start of Liang et al. 2022, section 4.4; W of their code is R^T.
    """
    a, b = check_embeddings(a, b)
    u, _, vt = torch.linalg.svd(a.T @ b)
    return vt.T @ u.T


def _vector(value: Tensor, rows: Tensor, name: str) -> Tensor:
    found = inputs.numbers(value, name, "(n,)")
    if found.shape != rows.shape[1:]:
        raise ValueError(f"{name}: got {len(found)} numbers; expected {rows.shape[1]}, one per dimension")
    return found
