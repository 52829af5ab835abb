"""One pass over the grid of all pairs, F_ij = f(a_i, b_j), shared by every instrument that exchanges one modality of a pair.

`sweep(f, a, b, accumulators)` scores each cell once, and every accumulator adds what it needs of it: `Sums` of the scores (EMAP),
`SumsOf` log-probabilities, `Votes` (predicted classes) or `TrueRank` (retrieval). The whole grid is never held in memory.
"""

from mmnb.instruments.grid.accumulators import Accumulator, Block, Sums, SumsOf, TruePairs, TrueRank, Votes
from mmnb.instruments.grid.sweep import sweep

__all__ = ["Accumulator", "Block", "Sums", "SumsOf", "TruePairs", "TrueRank", "Votes", "sweep"]
