"""Probes, the choosing trick, OGM-GE's coefficients and the set-cover toy: closed forms, brute force, known worlds."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from mmnb import laziness
from mmnb.data import two_codes
from mmnb.instruments.estimate import proportion
from mmnb.recipes import late
from mmnb.recipes.late import seeds as replicas


# modulation
@pytest.mark.parametrize(
    ("alpha", "rho", "k"),
    [
        *[(0.8, 1.0001, 0.336), (0.8, 1.5, 0.166), (0.8, 2, 0.078), (0.8, 4, 0.003)],
        *[(0.1, 1.0001, 0.900), (0.1, 1.5, 0.851), (0.1, 2, 0.803), (0.1, 4, 0.620)],
        *[(0.3, 1.0001, 0.709), (0.3, 1.5, 0.578), (0.3, 2, 0.463), (0.3, 4, 0.166)],
    ],
)
def test_k_follows_the_table(alpha, rho, k):
    found = late.coefficients({"u": rho * 7.0, "v": 7.0}, alpha)
    assert found["u"] == pytest.approx(k, rel=0, abs=1e-3)
    assert found["v"] == 1


def test_k_jumps_at_balance_and_takes_the_mean_ratio_of_three():
    assert late.coefficients({"u": 2.0, "v": 2.0}, 0.8) == {"u": 1, "v": 1}
    three = late.coefficients({"u": 6.0, "v": 3.0, "w": 2.0}, 0.5)
    assert three["u"] == pytest.approx(1 - math.tanh(0.5 * (6 / 3 + 6 / 2) / 2), rel=0, abs=1e-12)
    assert three["v"] == 1 and three["w"] == 1  # v: (3 / 6 + 3 / 2) / 2 = 1, not above
    for scores, alpha in (
        ({"u": 1.0}, 0.5),
        ({"u": 1.0, "v": 0.0}, 0.5),
        ({"u": 1.0, "v": math.nan}, 0.5),
        ({"u": 1.0, "v": 1.0}, -1),
    ):
        with pytest.raises(ValueError, match="coefficients: got"):
            late.coefficients(scores, alpha)


def test_confidence_is_the_probability_of_the_truth():
    logits, label = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]), torch.tensor([1, 0])
    assert late.confidence(logits, label) == pytest.approx(0.75 + 0.5, rel=1e-6)


def test_noise_has_the_spread_of_the_gradient():
    parameter = nn.Parameter(torch.zeros(40_000))
    gradient = 3 + 2 * torch.randn(40_000, generator=torch.Generator().manual_seed(0))
    parameter.grad = gradient.clone()
    draw = torch.Generator().manual_seed(1)
    assert late.scale_gradients([parameter, nn.Parameter(torch.zeros(2))], 0.25, noise=True, generator=draw) == 1
    added = parameter.grad - 0.25 * gradient
    # of 40,000 draws with sd 2: mean 0 +- 0.01, sd 2 +- 0.007; four times as much
    assert abs(added.mean().item()) < 0.04 and abs(added.std().item() - gradient.std().item()) < 0.03
    with pytest.raises(ValueError, match="no parameter has a gradient"):
        late.scale_gradients([nn.Parameter(torch.zeros(2))], 0.5, noise=False)


# probes
def test_probe_reads_what_is_linear_and_not_what_is_not():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2000, 4, generator=draw)
    linear, xor = (x[:, 0] + x[:, 1] > 0).long(), ((x[:, 0] > 0) ^ (x[:, 1] > 0)).long()
    halves = slice(0, 1000), slice(1000, 2000)
    found = {
        name: laziness.probe_features(x[halves[0]], y[halves[0]], x[halves[1]], y[halves[1]])
        for name, y in (("linear", linear), ("xor", xor))
    }
    assert found["linear"].accuracy > 0.97
    low, high = found["xor"].interval
    assert low < 0.5 < high or abs(found["xor"].accuracy - 0.5) < 0.05
    assert found["linear"].log_probabilities.exp().sum(1).sub(1).abs().max() < 1e-9
    random = [
        laziness.probe_features(
            x[halves[0]], linear[torch.randperm(1000, generator=draw)], x[halves[1]], linear[halves[1]]
        ).accuracy
        for _ in range(40)
    ]
    assert abs(np.mean(random) - 0.5) < 4 * np.std(random) / 40**0.5  # labels permuted: chance, by its own spread


def test_probe_minimises_its_formula():
    """The gradient of C sum CE + |W|^2 / 2 in float64 is 0 at what the probe found, up to its stopping rule (1e-4 of a mean loss, times n)."""
    draw = torch.Generator().manual_seed(1)
    x, y = torch.randn(80, 3, generator=draw, dtype=torch.float64) * 5 + 2, torch.randint(3, (80,), generator=draw)
    grid = torch.eye(3, dtype=torch.float64)
    unit = x.std(0, correction=0)
    asked = torch.cat([x.mean(0)[None], x.mean(0) + grid * unit])  # standardised: the origin and the axes
    log_p = laziness.probe_features(x, y, asked, torch.zeros(4, dtype=torch.int64), C=0.5).log_probabilities
    logits = log_p - log_p.mean(1, keepdim=True)
    bias, weight = logits[0], logits[1:] - logits[0]
    z = (x - x.mean(0)) / unit
    residual = torch.nn.functional.one_hot(y, 3) - (z @ weight + bias).softmax(1)
    assert (0.5 * z.T @ residual - weight).abs().max() < 0.01 and residual.sum(0).abs().max() < 0.02


def test_probe_refuses_train_mode_and_nonsense():
    x, y = torch.eye(4), torch.arange(4) % 2
    encoder = nn.Sequential(nn.Linear(4, 2), nn.Dropout())
    with pytest.raises(ValueError, match="train mode"):
        laziness.probe(encoder, (x, y), (x, y))
    assert laziness.probe(encoder.eval(), (x, y), (x, y)).n == 4
    encoder[1].train()  # a part is enough
    with pytest.raises(ValueError, match="train mode"):
        laziness.encode(encoder, x)
    with pytest.raises(ValueError, match="all finite"):
        laziness.encode(nn.Identity().eval(), x / 0)
    for arguments, words in (
        ((x, y[:3], x, y), "3 labels"),
        ((x, y, x[:, :2], y), "test"),
        ((x, y * 0, x, y * 0), "1 classes"),
        ((x, y, x, y + 1), r"\[2\] new in testing"),
        ((x, y, x[:0], y[:0]), "n >= 1"),
        ((x, y.float() + 0.5, x, y), "expected labels"),
        ((x, torch.eye(4), x, y), r"expected \(n,\)"),
        ((x, y, x / 0, y), "NaN or infinity"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            laziness.probe_features(*arguments)


def test_wilson_is_an_old_name_of_proportion():
    with pytest.warns(DeprecationWarning, match=r"laziness.wilson\(share, n\) is now .*proportion"):
        assert laziness.wilson(0.5, 100) == proportion(50, 100).interval


# the trick
@pytest.fixture(scope="module")
def known():
    """task -> what the trick says for ten seeds, without and with a jointly trained rival whose head lets modalities interact."""
    found, seeds = {}, range(10)
    for task, sizes in (("paired", (300, 1, 600)), ("apart", (100, 1, 600))):  # few, so that the encoders fit them
        data = replicas.stack([two_codes.sample(task, sizes, seed) for seed in seeds], seeds)
        before = replicas.build(data, ["a", "b"], head=late.Hidden)
        alone, _ = replicas.train(before, data, late.Unimodal(), epochs=100)
        together, _ = replicas.train(before, data, epochs=100)
        found[task] = replicas.choices(alone, data), replicas.choices(alone, data, together)
    return found


def test_the_trick_knows_two_known_answers_in_nine_of_ten_seeds(known):
    (_, paired), (_, apart) = known["paired"], known["apart"]
    assert sum(c.verdict == "UMT" and c.because == "joint" for c in paired) >= 9  # by evidence, not by exclusion
    assert sum(c.verdict == "UME" and c.because == "doubt" for c in apart) >= 9
    assert np.mean([c.joint - c.averaged for c in paired]) > 0.3


def test_without_a_joint_rival_nothing_to_average_decides_the_paired_task(known):
    (paired, _), (apart, _) = known["paired"], known["apart"]
    assert sum(c.verdict == "UMT" for c in paired) >= 9 and all(c.joint is None for c in paired)
    assert sum(c.nothing for c in paired) >= 9  # a linear head cannot see XOR
    assert np.mean([c.fused for c in paired]) < 0.55
    assert sum(c.verdict == "UME" for c in apart) >= 9


def test_the_trick_sends_features_that_only_work_together_to_umt():
    """Each modality holds two of four bits of the class; its own classifier is half blind, the fused one sees all."""
    draw = torch.Generator().manual_seed(0)
    bits = torch.randint(2, (900, 4), generator=draw)
    label = bits @ torch.tensor([1, 2, 4, 8])
    views = {"a": bits[:, :2].float(), "b": bits[:, 2:].float()}
    parts = [{n: v[rows] for n, v in views.items()} for rows in (slice(0, 450), slice(450, 900))]
    # overconfident uni-modal models that guess the other two bits, always alike
    logits = {
        n: 9.0 * torch.nn.functional.one_hot(x[:, 0].long() + 2 * x[:, 1].long(), 16).float()
        for n, x in parts[1].items()
    }
    choice = laziness.choose(parts[0], label[:450], parts[1], label[450:], logits)
    assert (choice.verdict, choice.because, choice.fused) == ("UMT", "frozen", 1.0)
    assert choice.value == choice.fused - choice.averaged and 0 < choice.gain.low < choice.value < choice.gain.high
    assert list(choice.estimates()) == ["gain", "fused", "averaged", "chance"]  # no joint rival was given
    assert choice.estimates()["averaged"].value == choice.averaged
    assert choice.sure > 0.99 and choice.p < 1e-6


def test_choice_counts_are_exact():
    """Six held-out examples whose outcomes are known: McNemar's p by enumeration, verdict at a tie."""
    x, y = torch.eye(2).repeat(20, 1), torch.tensor([0, 1]).repeat(20)
    test, label = torch.eye(2).repeat(50, 1), torch.tensor([0, 1]).repeat(50)
    right = 10 * test
    wrong_at = [0, 3, 4, 9, 10]
    worse = right.clone()
    worse[wrong_at] = worse[wrong_at].flip(1)
    tie = laziness.choose({"a": x, "b": x}, y, {"a": test, "b": test}, label, {"a": right, "b": right})
    assert (tie.verdict, tie.because, tie.fused, tie.averaged, tie.p) == ("UME", "doubt", 1.0, 1.0, 1.0)
    assert tie.chance == 0.5 and tie.joint is None
    better = laziness.choose({"a": x, "b": x}, y, {"a": test, "b": test}, label, {"a": worse, "b": worse})
    assert better.verdict == "UMT" and better.averaged == 0.95
    assert better.p == pytest.approx(2 * 0.5**5, rel=0, abs=1e-12)  # five discordant, all one way
    assert better.sure == pytest.approx(1 - 0.95**100, rel=0, abs=0.02)  # a draw without any of the five is a tie
    for features, logits in (({"a": x}, {"a": right}), ({"a": x, "b": x}, {"a": right})):
        with pytest.raises(ValueError, match="choose: got"):
            laziness.choose(features, y, {"a": test, "b": test}, label, logits)


def test_a_joint_rival_counts_and_pays_for_the_second_look():
    """Everything at chance but the joint predictions, which are right k times more often than the average in 100 held-out examples."""
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 2, generator=draw), torch.tensor([0, 1]).repeat(20)
    test, label = torch.zeros(100, 2), torch.tensor([0, 1]).repeat(50)  # features without a trace of the label
    guess = torch.nn.functional.one_hot(torch.arange(100) // 2 % 2, 2).float()  # right for half of each class
    told = {}
    for k in (0, 40):
        joint = guess.clone()
        wrong = (joint.argmax(1) != label).nonzero().squeeze(1)[:k]
        joint[wrong] = joint[wrong].flip(1)
        told[k] = laziness.choose(
            {"a": x, "b": x}, y, {"a": test, "b": test}, label, {"a": guess, "b": guess}, joint=joint
        )
    assert (told[0].verdict, told[0].because, told[0].joint) == ("UMT", "nothing", 0.5)
    assert (told[40].verdict, told[40].because, told[40].joint) == ("UMT", "joint", 0.9)
    assert told[40].p == pytest.approx(2 * 2 * 0.5**40, rel=1e-9)  # two rivals
    right = torch.nn.functional.one_hot(label, 2).float()
    known = laziness.choose({"a": x, "b": x}, y, {"a": test, "b": test}, label, {"a": right, "b": right}, joint=guess)
    assert (known.verdict, known.because, known.averaged) == ("UME", "doubt", 1.0) and known.sure == 1.0
    for joint in (guess[:9], guess[0], guess / 0):
        with pytest.raises(ValueError, match="choose: joint: got"):
            laziness.choose({"a": x, "b": x}, y, {"a": test, "b": test}, label, {"a": guess, "b": guess}, joint=joint)


def two_classes(n=60, seed=0):
    """Features of two modalities, labels 0 and 1, and logits that are right for all but every fifth example."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (n,), generator=draw)
    x = {name: torch.randn(n, 3, generator=draw) + 2 * y[:, None] for name in "ab"}
    logits = 4.0 * torch.nn.functional.one_hot(torch.where(torch.arange(n) % 5 == 0, 1 - y, y), 2)
    return x, y, {"a": logits, "b": logits}


FORMS = {
    "signs": lambda y: 2 * y - 1,
    "negative": lambda y: y - 5,
    "far": lambda y: 10**9 * y + 7,
    "text": lambda y: ["no" if label == 0 else "yes" for label in y.tolist()],
    "bools": lambda y: y.bool(),
    "int32 array": lambda y: y.int().numpy(),
    "list": lambda y: y.tolist(),
    "float": lambda y: y.double(),
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_of_any_kind_give_the_numbers_of_zero_and_one(form):
    x, y, logits = two_classes()
    other = FORMS[form](y)
    known, found = (laziness.probe_features(x["a"], label, x["a"], label) for label in (y, other))
    assert found.accuracy == known.accuracy > 0.8
    assert torch.equal(found.log_probabilities, known.log_probabilities)
    assert found.classes == sorted(set(np.asarray(other).tolist()))
    known, found = (laziness.choose(x, label, x, label, logits, joint=logits["a"]) for label in (y, other))
    assert found == known and known.averaged == 0.8


def test_a_label_that_training_has_not_seen_keeps_its_column():
    """Labels 0 and 2 of three: the logits have three columns, and column 1 is an answer that is wrong."""
    x, y, logits = two_classes()
    wide = {name: torch.stack([part[:, 0], 0 * part[:, 0], part[:, 1]], 1) for name, part in logits.items()}
    assert laziness.choose(x, 2 * y, x, 2 * y, wide).averaged == 0.8
    with pytest.raises(ValueError, match="3 columns for the 2 classes"):
        laziness.choose(x, 2 * y - 1, x, 2 * y - 1, wide)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda z: z * torch.nan, "NaN, infinity or no possible class in 60 rows"),
        (lambda z: z[:1], r"got shape \(1, 2\); expected \(60, classes\)"),
        (lambda z: z[:, 0], r"got shape \(60,\)"),
        (lambda z: torch.full_like(z, -torch.inf), "no possible class"),
        (lambda z: None, "got NoneType"),
    ],
)
@pytest.mark.parametrize("where", ["test_logits of b", "joint"])
def test_choose_refuses_predictions_that_are_none(spoil, message, where):
    x, y, logits = two_classes()
    given = {"joint": logits["a"]} | ({"joint": spoil(logits["a"])} if where == "joint" else {})
    own = logits | ({} if where == "joint" else {"b": spoil(logits["b"])})
    if given["joint"] is None:
        return  # no rival
    with pytest.raises((ValueError, TypeError), match=f"choose: {where}: .*{message}"):
        laziness.choose(x, y, x, y, own, **given)


def test_features_on_a_device_without_float64_give_the_same_numbers(far_away):
    x, y, logits = two_classes()
    far = {name: part.as_subclass(far_away) for name, part in x.items()}
    y_far, logits_far = y.as_subclass(far_away), {name: part.as_subclass(far_away) for name, part in logits.items()}
    assert laziness.choose(far, y_far, far, y_far, logits_far) == laziness.choose(x, y, x, y, logits)
    encoder = nn.Linear(3, 2).eval()
    parts = (x["a"], y), (far["a"], y_far)
    assert len({laziness.probe(encoder, part, part).accuracy for part in parts}) == 1


# set cover
def brute_greedy(explains):
    """The same greedy rule with Python sets."""
    sets = [set(np.flatnonzero(row)) for row in explains]
    open_, learnt = set(range(explains.shape[1])), []
    while open_:
        gains = [len(s & open_) for s in sets]
        learnt.append(gains.index(max(gains)))
        open_ -= sets[learnt[-1]]
    return learnt


def test_greedy_cover_is_the_greedy_rule_and_covers():
    rng = np.random.default_rng(0)
    for _ in range(50):
        explains = rng.random((12, 9)) < 0.35
        explains[:, ~explains.any(0)] = True
        learnt = laziness.greedy_cover(explains).tolist()
        assert learnt == brute_greedy(explains)
        assert explains[learnt].any(0).all()
        smallest = next(
            k for k in range(1, 13) if any(explains[list(c)].any(0).all() for c in itertools.combinations(range(12), k))
        )
        assert smallest <= len(learnt)
        order = rng.permutation(12)
        assert explains[laziness.greedy_cover(explains, order=order)].any(0).all()
    assert laziness.greedy_cover(
        np.array([[True, False], [True, False], [False, True]]), order=np.array([1, 0, 2])
    ).tolist() == [1, 2]


def test_greedy_cover_and_simulate_refuse():
    for wrong in (np.zeros((2, 3), dtype=bool), np.full((2, 3), 2.0), np.ones(3, dtype=bool)):
        with pytest.raises(ValueError, match=r"greedy_cover.*: got"):
            laziness.greedy_cover(wrong)
    for options in ({"p": (0.0, 0.3, 0.1)}, {"p": (0.3, 0.3, 1.0)}, {"pool": (0, 5, 5)}):
        with pytest.raises(ValueError, match="simulate: got"):
            laziness.simulate(**options)


def test_shares_of_new_examples_are_those_of_the_closed_form():
    """k learnt features that explain with probability p explain 1 - (1 - p)^k of new examples; features are chosen by training examples only."""
    draws = [laziness.simulate(seed=seed, p=(0.3, 0.3, 0.3), n_test=4000) for seed in range(30)]
    expected = [1 - 0.7 ** sum([*d.joint, d.paired]) for d in draws]
    ensemble = [1 - 0.7 ** sum(d.alone) for d in draws]
    # per draw the share has a standard deviation near 0.02, which features the examples happen to get: 0.004 for the mean of 30
    assert np.mean([d.joint_test for d in draws]) == pytest.approx(np.mean(expected), rel=0, abs=0.01)
    assert np.mean([d.ensemble_test for d in draws]) == pytest.approx(np.mean(ensemble), rel=0, abs=0.01)
    assert all(d.lazy == (d.alone[0] - d.joint[0], d.alone[1] - d.joint[1]) for d in draws)
    assert np.mean([sum(d.lazy) for d in draws]) > 0


def test_a_generator_is_still_taken():
    with pytest.warns(DeprecationWarning, match="seed="):
        old = laziness.simulate(np.random.default_rng(5))
    assert old == laziness.simulate(seed=5) != laziness.simulate(seed=6)


def test_a_planted_violation_is_seen():
    assert laziness.Covers((5, 6), (3, 2), 1, 0.9, 0.8).violated
    found = laziness.Covers((6, 7), (3, 2), 1, 0.9, 0.8)
    assert not found.violated and found.value == 8 and found.estimates()["joint_test"].value == 0.8
