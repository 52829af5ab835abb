"""Exact informations against hand values, brute force and an independent library; the decomposition against known gates and its identities."""

import itertools
import math
import time

import dit
import numpy as np
import pytest
from dit.pid import PID_BROJA
from scipy import optimize, special

from mmnb.instruments import information
from mmnb.instruments.information import co_information, entropy, joint_table, mutual_information, pid

LOG2 = math.log(2)
GATES = {
    "xor": lambda a, b: a ^ b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "copy of a": lambda a, b: a,
}
KNOWN = {  # redundancy, unique a, unique b, synergy
    "xor": (0, 0, 0, LOG2),
    "and": (0.2157615, 0, 0, LOG2 / 2),
    "or": (0.2157615, 0, 0, LOG2 / 2),
    "copy of a": (0, LOG2, 0, 0),
}


def gate(rule):
    table = np.zeros((2, 2, 2))
    for a, b in itertools.product((0, 1), repeat=2):
        table[a, b, rule(a, b)] = 0.25
    return table


def random_table(shape, seed, concentration=0.5):
    return np.random.default_rng(seed).dirichlet(np.full(math.prod(shape), concentration)).reshape(shape)


def as_dit(table):
    cells = [(index, p) for index, p in np.ndenumerate(table) if p > 0]
    return dit.Distribution(["".join(map(str, index)) for index, _ in cells], [p for _, p in cells])


def atoms(found):
    return np.array([found.redundancy, found.unique_a, found.unique_b, found.synergy])


@pytest.mark.parametrize("seed", range(5))
def test_informations_equal_those_of_an_independent_library(seed):
    """dit computes in bits with float64: agreement to 1e-9 nats."""
    table = random_table((3, 4, 2), seed)
    other = as_dit(table)
    pairs = [
        (entropy(table), dit.shannon.entropy(other)),
        (mutual_information(table, 0, 2), dit.shannon.mutual_information(other, [0], [2])),
        (mutual_information(table, (0, 1), 2), dit.shannon.mutual_information(other, [0, 1], [2])),
        (mutual_information(table, 0, 2, given=1), dit.multivariate.coinformation(other, [[0], [2]], [1])),
        (co_information(table), dit.multivariate.coinformation(other, [[0], [1], [2]])),
    ]
    for ours, bits in pairs:
        assert abs(ours - float(bits) * LOG2) < 1e-9


def test_mutual_information_equals_the_sum_over_cells():
    table = random_table((4, 3), 7)
    by_hand = sum(p * math.log(p / table[i].sum() / table[:, j].sum()) for (i, j), p in np.ndenumerate(table))
    assert abs(mutual_information(table) - by_hand) < 1e-12


def test_conditional_information_is_the_average_over_slices():
    table = random_table((3, 2, 4), 8)
    slices = [table[:, :, k] for k in range(4)]
    average = sum(s.sum() * mutual_information(s / s.sum()) for s in slices)
    assert abs(mutual_information(table, 0, 1, given=2) - average) < 1e-12


def test_joint_table_counts():
    a, b = np.array([0, 1, 1, 0, 2]), np.array([0, 1, 1, 0, 0])
    table = joint_table(a, b, sizes=(4, 2))
    assert table.shape == (4, 2) and np.array_equal(table * 5, [[2, 0], [0, 2], [1, 0], [0, 0]])


@pytest.mark.parametrize("name", GATES)
def test_gates_have_their_known_atoms(name):
    """Hand values; the solver's accuracy is about 1e-6, the sheet's values have seven digits."""
    assert np.abs(atoms(pid(gate(GATES[name]))) - KNOWN[name]).max() < 1e-6


def test_two_copies_are_redundant():
    table = np.zeros((2, 2, 2))
    table[0, 0, 0] = table[1, 1, 1] = 0.5
    assert np.abs(atoms(pid(table)) - (LOG2, 0, 0, 0)).max() < 1e-9


def dit_atoms(table):
    found = PID_BROJA(as_dit(table), [[0], [1]], [2])
    theirs = [found[((0,), (1,))], found[((0,),)], found[((1,),)], found[((0, 1),)]]
    return np.array(theirs, dtype=float) * LOG2


def test_and_has_the_atoms_of_an_independent_library():
    """dit's own optimiser stops at about 1e-4 bits."""
    table = gate(GATES["and"])
    assert np.abs(atoms(pid(table)) - dit_atoms(table)).max() < 1e-3


@pytest.mark.parametrize("table", [random_table((2, 2, 2), 0), random_table((3, 2, 2), 1)])
def test_no_unique_part_of_an_independent_library_is_smaller(table):
    """Unique information is a minimum, so a solver can only miss it upwards. dit starts at random and may stop up to 0.02 too high."""
    ours, theirs = atoms(pid(table)), dit_atoms(table)
    assert (ours[1:3] <= theirs[1:3] + 1e-5).all()
    assert abs(ours.sum() - theirs.sum()) < 1e-6  # what both modalities say together, however it is parted


@pytest.mark.parametrize("seed", range(5))
def test_unique_parts_of_two_by_two_tables_equal_a_search_over_all_distributions(seed):
    """With the margins (a, y) and (b, y) fixed, each label leaves one free number: 801 x 801 distributions are all there are, nearly."""
    table = random_table((2, 2, 2), seed)
    free = []
    for y in range(2):
        p = table[:, :, y]
        free.append(np.linspace(-min(p[0, 0], p[1, 1]), min(p[0, 1], p[1, 0]), 801))
    moved = np.stack(np.meshgrid(*free, indexing="ij"), -1)  # (801, 801, label)
    q = table + moved[:, :, None, None, :] * np.array([[1, -1], [-1, 1]])[:, :, None]
    q = q.clip(min=0)

    def h(*axes):
        margin = q.sum(axes) if axes else q
        return -np.where(margin > 0, margin * np.log(np.where(margin > 0, margin, 1)), 0).sum(
            tuple(range(2, margin.ndim))
        )

    a_given_b = h(4) + h(2) - h(2, 4) - h()  # I(a; y | b) = H(a, b) + H(b, y) - H(b) - H(a, b, y)
    b_given_a = h(4) + h(3) - h(3, 4) - h()
    # the grid misses the minimum upwards, by less than the square of its step
    for found, searched in zip(atoms(pid(table))[1:3], (a_given_b.min(), b_given_a.min()), strict=True):
        assert -1e-5 < searched - found < 1e-4


@pytest.mark.parametrize("seed", range(20))
def test_atoms_obey_the_identities(seed):
    """Whatever q* is, the equations hold if its margins do; that it is the best q is judged above and below, and by the signs here."""
    table = random_table((4, 4, 3), seed)
    r, u_a, u_b, s = atoms(pid(table))
    residuals = [
        r + u_a - mutual_information(table, 0, 2),
        r + u_b - mutual_information(table, 1, 2),
        u_a + s - mutual_information(table, 0, 2, given=1),
        r + u_a + u_b + s - mutual_information(table, (0, 1), 2),
        r - s - co_information(table),
    ]
    assert np.abs(residuals).max() < 1e-5 and min(r, u_a, u_b, s) > -1e-5


@pytest.mark.parametrize(("shape", "seed"), [((3, 3, 3), 0), ((4, 4, 3), 1), ((5, 3, 2), 2), ((3, 6, 4), 3)])
def test_no_distribution_has_a_larger_entropy_of_the_label_than_a_bound_from_duality(shape, seed):
    """-H(y|a,b) under q is at least E[u(a,y) + v(b,y)], whatever u and v with sum_y exp(u + v) <= 1 for all a, b: Gibbs' inequality, pair by pair.

    The margins fix that mean, so the best u and v, found here by another solver, bound what any q can reach; ours does, up to 1e-5, and p itself does not.
    """
    p = random_table(shape, seed)
    n_a, n_b, n_y = shape
    ay, by = p.sum(1), p.sum(0)

    def parts(flat):
        return flat[: n_a * n_y].reshape(n_a, 1, n_y), flat[n_a * n_y :].reshape(1, n_b, n_y)

    def room(flat):
        return -special.logsumexp(sum(parts(flat)), axis=2).ravel()  # 0 or more where u and v are allowed

    mean = np.concatenate([ay.ravel(), by.ravel()])
    start = np.full(mean.size, -0.5 * math.log(n_y))
    found = optimize.minimize(lambda flat: -mean @ flat, start, jac=lambda flat: -mean, method="SLSQP", constraints={"type": "ineq", "fun": room}, options={"maxiter": 500, "ftol": 1e-10})  # fmt: skip
    bound = mean @ found.x + min(0, room(found.x).min())  # u lowered until it is allowed everywhere

    aim = entropy(p.sum(2)) - entropy(p)  # -H(y | a, b) under p; under q* it is less by the synergy
    assert -1e-7 < aim - pid(p).synergy - bound < 1e-5 < 0.01 < aim - bound


def test_exchanging_modalities_exchanges_the_unique_parts_and_names_do_not_matter():
    table = random_table((4, 3, 3), 3)
    found = atoms(pid(table))
    assert np.abs(atoms(pid(table.transpose(1, 0, 2))) - found[[0, 2, 1, 3]]).max() < 1e-5
    assert np.abs(atoms(pid(table[[2, 0, 3, 1]][:, ::-1][:, :, [1, 2, 0]])) - found).max() < 1e-5
    assert abs(found[1] - found[2]) > 1e-3  # or the exchange would show nothing


def test_empty_rows_change_nothing():
    table = np.zeros((5, 3, 4))
    table[1:3, :2, [0, 3]] = random_table((2, 2, 2), 5)
    assert np.abs(atoms(pid(table)) - atoms(pid(table[1:3, :2][:, :, [0, 3]]))).max() < 1e-6


@pytest.mark.parametrize("n", [None, 2000])
def test_a_large_table_takes_less_than_two_seconds(n):
    """As probabilities and as counts of a sample; CPU seconds, after the solver has been imported by other tests or here."""
    pid(gate(GATES["xor"]))
    table = random_table((20, 20, 10), 0, 0.3)
    if n:
        table = np.random.default_rng(0).multinomial(n, table.ravel()).reshape(table.shape) / n
    started = time.process_time()
    total = pid(table).total
    assert time.process_time() - started < 2
    assert abs(total - mutual_information(table, (0, 1), 2)) < 1e-5


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_tables_of_few_digits_are_taken_for_what_they_are(dtype):
    """Their sum is off 1 by their rounding, which is taken out; a sum that is off by more is refused as ever."""
    table = random_table((3, 4, 2), 9)
    assert abs(mutual_information(table.astype(dtype)) - mutual_information(table)) < 20 * np.finfo(dtype).eps
    assert np.abs(atoms(pid(table.astype(dtype))) - atoms(pid(table))).max() < 20 * np.finfo(dtype).eps
    with pytest.raises(ValueError, match=r"sum 1\.1"):
        entropy((1.1 * table).astype(dtype))


def test_an_ordinary_table_at_which_the_solver_stops_early():
    """Independent codes, 20 x 20 x 8 from 5,600 rows; the total is known exactly. CLARABEL says 'optimal_inaccurate'."""
    rng = np.random.default_rng(1)
    table = joint_table(*(rng.integers(k, size=5600) for k in (20, 20, 8)))
    found = pid(table)
    assert abs(found.total - mutual_information(table, (0, 1), 2)) < 1e-6 and atoms(found).min() > -1e-6
    residual = found.redundancy + found.unique_a - mutual_information(table, 0, 2)
    assert abs(residual) < 1e-5


def test_a_solver_that_fails_is_no_number(monkeypatch):
    import cvxpy

    monkeypatch.setattr(cvxpy.Problem, "status", "user_limit")
    with pytest.raises(RuntimeError, match=r"'user_limit'.*expected 'optimal'"):
        pid(gate(GATES["and"]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: entropy([0.5, 0.6]), ValueError, "sum 1.1"),
        (lambda: entropy([1.5, -0.5]), ValueError, "smallest entry -0.5"),
        (lambda: entropy([math.nan, 1.0]), ValueError, "NaN or infinity in 1 of 2 rows"),
        (lambda: entropy(np.array([0.5, 0.5 + 0j])), TypeError, "got complex128"),
        (lambda: entropy([]), ValueError, r"shape \(0,\)"),
        (lambda: mutual_information(np.full((2, 2), 0.25), 0, 0), ValueError, "expected different ones"),
        (lambda: mutual_information(np.full((2, 2), 0.25), 0, 2), ValueError, "expected different ones from 0 to 1"),
        (lambda: mutual_information(np.full((2, 2), 0.25), 0, ()), ValueError, "at least one for each"),
        (lambda: co_information(np.full((2, 2), 0.25)), ValueError, "expected 3 axes"),
        (lambda: pid(np.full((2, 2), 0.25)), ValueError, "expected 3 axes"),
        (lambda: joint_table(np.array([0.5])), TypeError, "got real numbers, such as 0.5"),
        (lambda: mutual_information(np.eye(2) / 2, given=None), TypeError, "expected a number or several"),
        (lambda: joint_table(np.array([0, 1]), np.array([0])), ValueError, "one length"),
        (lambda: joint_table(np.array([0, 3]), sizes=[2]), ValueError, "below the size"),
        (lambda: joint_table(np.array([0, -1])), ValueError, "expected whole numbers from 0"),
        (lambda: pid(np.full((2, 2, 1), 0.25)).metric, ValueError, "expected at least 1e-9"),
    ],
)
def test_errors_say_what_was_given(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_everything_exported_exists():
    assert all(hasattr(information, name) for name in information.__all__)
