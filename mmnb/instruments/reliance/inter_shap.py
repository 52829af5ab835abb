"""InterSHAP for two modalities, from a pass that was run: for comparison with papers that print it."""

import torch
from torch import Tensor

from mmnb.instruments.emap.result import Emap
from mmnb.instruments.grid.accumulators import TruePairs
from mmnb.instruments.reliance.accumulators import Others
from mmnb.instruments.reliance.cells import predicted


def inter_shap(others: Others, true: TruePairs, result: Emap) -> dict[str, float]:
    """Share of interaction in the mean Shapley interaction values of the predicted class, on probabilities as published and on logits.

    Formula: with v the probability (the logit) of the class predicted for the true pair, averaged over what is left out, I = v_ab - v_a -
    v_b + v_0, main effects v_a - v_0 and v_b - v_0; |mean I| / (|mean I| + |mean main a| + |mean main b|), means over examples.
    On probabilities it reports interaction for a model whose logits are additive: the softmax is the interaction. And effects of
    opposite sign cancel in its means.

    Args:
        others, true, result: Of one pass over the grid.

    Returns:
        {"probabilities": share, "logits": share}; NaN where all effects are 0.

    Example:
        >>> from mmnb.instruments.emap.result import from_sums
        >>> from mmnb.instruments.grid import Sums, sweep
        >>> a = torch.tensor([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
        >>> sums, others = Sums(), Others()
        >>> true = sweep(lambda a, b: a + b, a, a, {"sums": sums, "others": others})
        >>> found = inter_shap(others, true, from_sums(sums, true))
        >>> found["logits"] < 1e-12 < found["probabilities"]
        True

    Source:
        Wenderoth et al., AAAI 2025, which samples about 2^M · 1000 passes an example. Ours takes the mean of the whole grid as base value,
        the released code that of the true pairs.
    """
    n = len(result.original)
    index, said = torch.arange(n), predicted(result.original)
    own = true.probabilities.cpu()
    rest = (n - 1) / n  # the weight of the false partners; the true one has 1 / n
    rows, columns = (own / n + rest * mean for mean in others.means())
    logits = [result.original, result.marginal_a, result.marginal_b, result.grand_mean.expand_as(result.original)]
    if result.original.shape[1] == 1:  # the logit of class 1 against class 0
        sign = 2 * said.double()[:, None] - 1
        logits, at = [sign * part for part in logits], torch.zeros_like(said)
    else:
        at = said
    probabilities = [own, rows, columns, rows.mean(0).expand_as(rows)]
    return {
        "probabilities": _share(*(part[index, said] for part in probabilities)),
        "logits": _share(*(part[index, at] for part in logits)),
    }


def _share(both: Tensor, a: Tensor, b: Tensor, none: Tensor) -> float:
    interaction, *main = (x.mean().abs().item() for x in (both - a - b + none, a - none, b - none))
    total = interaction + sum(main)
    return interaction / total if total else float("nan")
