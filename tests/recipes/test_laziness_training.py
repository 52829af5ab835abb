"""One training loop, many ways: equal to loops written out by hand, deterministic, resumable, and true to what each way promises."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from mmnb import laziness
from mmnb.recipes import late


def data(n=50, classes=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    inputs = {"a": torch.randn(n, 4, generator=draw), "b": torch.randn(n, 6, generator=draw)}
    return inputs, torch.randint(classes, (n,), generator=draw)


def mlp(width, dropout=0.0):
    return nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 5), nn.ReLU())


def model(seed=0, head=None, dropout=0.0):
    torch.manual_seed(seed)
    encoders = {"a": mlp(4, dropout), "b": mlp(6, dropout)}
    return late.LateModel(encoders, head or late.Concat([5, 5], 3), {"a": nn.Linear(5, 3), "b": nn.Linear(5, 3)})


def batches(seed=0):
    return late.shuffled(*data(), batch_size=16, seed=seed)


def fitted(objective=None, epochs=4, start=None, **options):
    net = model() if start is None else copy.deepcopy(start)
    late.fit(net, batches(), objective, epochs=epochs, progress=False, **options)
    return net


def same(one, two):
    left, right = one.state_dict(), two.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def teachers(seed=7):
    net = model(seed)
    late.fit(net, batches(), late.Unimodal(), epochs=3, progress=False)
    return {name: net.encoders[name] for name in net.names}


# against loops by hand
def by_hand(loss, parameters, net, epochs=4):
    optimiser = torch.optim.Adam(list(parameters), lr=2e-3, weight_decay=1e-4, fused=True)
    for epoch in range(epochs):
        for inputs, label in batches()(epoch):
            optimiser.zero_grad()
            loss(net, inputs, label).backward()
            optimiser.step()
    return net.eval()


def test_joint_is_the_loop_by_hand_bit_for_bit():
    net = model()
    hand = by_hand(
        lambda m, x, y: functional.cross_entropy(m(x), y), [*net.encoders.parameters(), *net.head.parameters()], net
    )
    assert same(fitted(), hand) and not same(hand, model())


@pytest.mark.parametrize("name", ["a", "b"])
def test_alone_is_each_modality_by_itself_bit_for_bit(name):
    net = model()
    parts = [*net.encoders[name].parameters(), *net.heads[name].parameters()]
    hand = by_hand(lambda m, x, y: functional.cross_entropy(m.heads[name](m.encoders[name](x[name])), y), parts, net)
    trained = fitted(late.Unimodal())
    assert same(trained.encoders[name], hand.encoders[name]) and same(trained.heads[name], hand.heads[name])
    assert same(trained.head, model().head)


def test_umt_is_its_formula_bit_for_bit():
    taught, lam = teachers(), {"a": 0.5, "b": 2.0}

    def loss(m, x, y):
        total = functional.cross_entropy(m(x), y)
        for name in ("a", "b"):
            with torch.no_grad():
                target = taught[name](x[name])
            total = total + lam[name] * (m.encoders[name](x[name]) - target).square().mean()
        return total

    net = model()
    hand = by_hand(loss, [*net.encoders.parameters(), *net.head.parameters()], net)
    for name, value in fitted(late.UnimodalTeachers(taught, lam)).state_dict().items():
        # mse_loss and the encoder's second pass add in another order: float32 rounding over 16 steps of size 2e-3
        torch.testing.assert_close(value, hand.state_dict()[name], rtol=0, atol=1e-5)


def test_lambda_0_is_joint_training_and_teachers_never_change():
    taught = teachers()
    before = {name: copy.deepcopy(teacher) for name, teacher in taught.items()}
    assert same(fitted(late.UnimodalTeachers(taught, 0.0)), fitted())
    strong = fitted(late.UnimodalTeachers(taught, 50.0), epochs=60)
    assert not same(strong, fitted(epochs=60))
    assert all(same(taught[name], before[name]) for name in taught)
    assert all(
        parameter.grad is None or not parameter.grad.any() for t in before.values() for parameter in t.parameters()
    )
    inputs, _ = data()
    apart = {
        lam: sum((net.encoders[n](inputs[n]) - taught[n](inputs[n])).square().mean().item() for n in taught)
        for lam, net in ((0.0, fitted(epochs=60)), (50.0, strong))
    }
    assert apart[50.0] < 0.5 * apart[0.0]


def test_teachers_that_could_change_are_refused():
    net = model()
    with pytest.raises(ValueError, match="teacher of a is in train mode"):
        fitted(late.UnimodalTeachers({name: e.train() for name, e in teachers().items()}), start=net)
    net.eval()
    with pytest.raises(ValueError, match="shares weights with the model"):
        late.fit(net, batches(), late.UnimodalTeachers(dict(net.encoders.items())), epochs=1)
    with pytest.raises(ValueError, match="expected \\['a', 'b'\\]"):
        fitted(late.UnimodalTeachers({"a": teachers()["a"]}))


def test_frozen_moves_the_head_only_and_keeps_eval_mode():
    start = model(dropout=0.5)
    net = fitted(late.LinearHead(), start=start)
    assert same(net.encoders, start.encoders) and not same(net.head, start.head)
    inputs, label = data()
    loss, _ = late.LinearHead().loss(start.eval(), inputs, label, 0)
    again, _ = late.LinearHead().loss(start, inputs, label, 0)
    assert loss.item() == again.item()


def test_blended_is_the_weighted_sum():
    weights = {"joint": 0.5, "a": 0.2, "b": 0.3}
    net = model()
    hand = by_hand(
        lambda m, x, y: sum(weights[n] * functional.cross_entropy(out, y) for n, out in m.logits(x).items()),
        net.parameters(),
        net,
    )
    assert same(fitted(late.GradientBlending(weights)), hand)
    for wrong in ({"joint": 1.0}, {"joint": -1.0, "a": 1.0, "b": 1.0}, {"joint": 0.0, "a": 0.0, "b": 0.0}):
        with pytest.raises(ValueError, match="GradientBlending: got weights"):
            fitted(late.GradientBlending(wrong))


def test_modality_dropout_drops_as_often_as_it_says_and_never_all():
    torch.manual_seed(0)
    kept = late.ModalityDropout(0.6).draw(3, torch.Size([20_000]))
    assert kept.sum(0).min() == 1
    # lost: 0.6, less the third of the 0.6^3 draws in which all would go; sd of 20,000 draws 0.0034
    assert (1 - kept.mean(1) - (0.6 - 0.6**3 / 3)).abs().max() < 0.015
    assert late.ModalityDropout(0.0).draw(2, torch.Size([5])).eq(1).all()
    assert same(fitted(late.ModalityDropout(0.0)), fitted()) and not same(fitted(late.ModalityDropout(0.5)), fitted())
    with pytest.raises(ValueError, match="expected from 0 to below 1"):
        fitted(late.ModalityDropout(1.0))


# OGM-GE in training
def test_alpha_0_without_noise_is_joint_training_bit_for_bit():
    assert same(fitted(late.OgmGe(alpha=0.0, noise=False)), fitted())
    assert same(fitted(late.OgmGe(alpha=2.0, noise=True, epochs=(9, 10))), fitted())


def test_modulation_touches_every_tensor_of_an_mlp_and_not_the_head():
    way = late.OgmGe(alpha=0.8, noise=False)
    net = model().train()
    inputs, label = data()
    loss, _ = way.loss(net, inputs, label, 0)
    loss.backward()
    plain = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    way.after_backward(net, 0)
    assert way.found["tensors"] == {"a": 4, "b": 4}
    assert (
        sum(p.ndim == 4 for p in net.encoders.parameters()) == 0
    )  # a rule for 4-D tensors alone would do nothing here
    k = way.found["k"]
    assert min(k.values()) < 1 == max(k.values())
    for name, parameter in net.named_parameters():
        if parameter.grad is not None:
            factor = k[name.split(".")[1]] if name.startswith("encoders") else 1.0
            torch.testing.assert_close(parameter.grad, factor * plain[name], rtol=1e-6, atol=0)


def test_modulation_needs_parts_and_one_model():
    with pytest.raises(TypeError, match="has no method `alone`"):
        fitted(late.OgmGe(), start=model(head=Fused()))
    stacked = late.stack_models([plain() for _ in range(2)])
    with pytest.raises(TypeError, match="head of a single model"):
        late.fit(stacked, batches(), late.OgmGe(), epochs=1)


class Fused(nn.Module):
    """Any head will do for the other ways."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Bilinear(5, 5, 3)

    def forward(self, a, b):
        return self.linear(a, b)


def test_any_head_and_three_modalities():
    inputs, label = data()
    net = late.LateModel({n: mlp(4) for n in "abc"}, late.Concat([5, 5, 5], 3))
    three = late.shuffled({n: inputs["a"] for n in "abc"}, label, 10)
    curves = late.fit(net, three, late.OgmGe(alpha=0.3), epochs=2, progress=False)
    assert set(curves) == {"loss", "joint", "a", "b", "c"} and len(curves["loss"]) == 2
    curves = late.fit(model(head=Fused()), batches(), epochs=1, progress=False)
    assert set(curves) == {"loss", "joint"}


# heads
def test_parts_of_the_logits_sum_to_the_logits():
    inputs, _ = data()
    net = model()
    features = net.features(inputs)
    parts = [net.head.alone(k, features[name]) for k, name in enumerate(net.names)]
    torch.testing.assert_close(sum(parts), net(inputs), rtol=0, atol=1e-6)
    torch.manual_seed(3)
    concat = late.Concat([5, 2], 3)
    torch.manual_seed(3)
    whole = nn.Linear(7, 3)
    x, y = torch.randn(4, 5), torch.randn(4, 2)
    torch.testing.assert_close(concat(x, y), whole(torch.cat([x, y], 1)), rtol=0, atol=1e-6)


def test_the_average_of_identical_models_is_the_model():
    logits = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(laziness.average([logits, logits, logits]), logits.log_softmax(1), rtol=0, atol=1e-12)
    other = logits.flip(0)
    mixed = laziness.average([logits, other], [3.0, 1.0]).exp()
    torch.testing.assert_close(mixed, 0.75 * logits.softmax(1) + 0.25 * other.softmax(1), rtol=0, atol=1e-12)
    torch.testing.assert_close(laziness.average([logits, other], [1.0, 0.0]), logits.log_softmax(1), rtol=0, atol=1e-12)
    for wrong in ([-1.0, 2.0], [0.0, 0.0], [1.0]):
        with pytest.raises(ValueError, match="average: got"):
            laziness.average([logits, other], wrong)
    with pytest.raises(ValueError, match="expected one shape"):
        laziness.average([logits, other[:3]])


@pytest.mark.parametrize(
    "arguments",
    [
        ({}, nn.Identity()),
        ({"joint": nn.Identity()}, nn.Identity()),
        ({"a": nn.Identity()}, nn.Identity(), {"b": nn.Identity()}),
    ],
)
def test_wrong_names_are_refused(arguments):
    with pytest.raises(ValueError, match="LateModel: got"):
        late.LateModel(*arguments)


def test_what_is_no_module_and_missing_heads_are_refused():
    with pytest.raises(TypeError, match="a is function"):
        late.LateModel({"a": lambda x: x}, nn.Identity())
    bare = late.LateModel({"a": mlp(4), "b": mlp(6)}, late.Concat([5, 5], 3))
    for way in (late.Unimodal(), late.GradientBlending({"joint": 1.0, "a": 0.0, "b": 0.0})):
        with pytest.raises(ValueError, match="no heads for single modalities"):
            late.fit(bare, batches(), way, epochs=1)


# stacked
def plain(seed=0, head=late.Concat):
    torch.manual_seed(seed)

    def encoder(width):
        return nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, 5), nn.ReLU())

    heads = {"a": nn.Linear(5, 3), "b": nn.Linear(5, 3)}
    return late.LateModel({"a": encoder(4), "b": encoder(6)}, head([5, 5], 3), heads)


@pytest.mark.parametrize("way", ["joint", "hidden", "alone", "umt", "blended"])
def test_stacked_training_equals_one_by_one(way):
    """In float64, so that the only difference, the order of sums inside a product, stays below 1e-9 after 16 steps of Adam."""
    worlds = [data(seed=k) for k in range(3)]
    models = [plain(k, late.Hidden if way == "hidden" else late.Concat).double() for k in range(3)]
    taught = [plain(10 + k).double().eval() for k in range(3)]
    makes = {
        "joint": lambda t: late.Joint(),
        "hidden": lambda t: late.Joint(),
        "alone": lambda t: late.Unimodal(),
        "umt": lambda t: late.UnimodalTeachers(dict(t.encoders.items()), 3.0),
        "blended": lambda t: late.GradientBlending({"joint": 0.5, "a": 0.1, "b": 0.4}),
    }
    make = makes[way]
    stacked = late.stack_models(models)
    inputs = {name: torch.stack([x[name] for x, _ in worlds]).double() for name in ("a", "b")}
    label = torch.stack([y for _, y in worlds])
    together = late.shuffled_stacked(inputs, label, 16, seeds=[5, 6, 7])
    curves = late.fit(stacked, together, make(late.stack_models(taught).eval()), epochs=4, progress=False)
    losses = []
    for k, (x, y) in enumerate(worlds):
        one = late.shuffled({name: value.double() for name, value in x.items()}, y, 16, seed=5 + k)
        losses.append(late.fit(models[k], one, make(taught[k]), epochs=4, progress=False)["loss"])
        apart = late.unstack(stacked, models[k], k)
        for name, value in apart.state_dict().items():
            torch.testing.assert_close(value, models[k].state_dict()[name], rtol=0, atol=1e-9)
    torch.testing.assert_close(torch.tensor(curves["loss"]), torch.tensor(losses).mean(0), rtol=0, atol=1e-6)


def test_any_layer_without_chance_can_be_stacked():
    """A convolution and a layer norm: logits and gradients of the stack are those of the models, one by one."""
    torch.manual_seed(0)
    nets = [nn.Sequential(nn.Conv2d(1, 2, 3), nn.LayerNorm(4), nn.Flatten(), nn.Linear(32, 3)) for _ in range(3)]
    x = torch.randn(3, 5, 1, 6, 6)
    stacked = late.stack_models(nets)
    stacked(x).square().sum().backward()
    for k, net in enumerate(nets):
        net(x[k]).square().sum().backward()
        torch.testing.assert_close(stacked(x)[k], net(x[k]), rtol=0, atol=1e-5)
        torch.testing.assert_close(late.unstack(stacked, nets[0], k)(x[k]), net(x[k]), rtol=0, atol=0)
        for own, many in zip(net.parameters(), stacked.parameters(), strict=True):
            torch.testing.assert_close(many.grad[k], own.grad, rtol=0, atol=1e-3)


def test_what_cannot_be_stacked_is_refused():
    dropout = late.stack_models([nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))] * 2)
    with pytest.raises(RuntimeError, match="random operation"):
        dropout(torch.ones(2, 3, 2))
    for wrong in ([], [nn.Linear(2, 3), nn.Linear(2, 4)]):
        with pytest.raises(ValueError, match="all of one architecture"):
            late.stack_models(wrong)
    with pytest.raises(ValueError, match="shuffled_stacked: got"):
        late.shuffled_stacked({"a": torch.zeros(2, 5)}, torch.zeros(2, 5), 2, [0])


# determinism and resuming
def test_two_runs_are_equal_and_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one = fitted(late.ModalityDropout(0.5), start=model(dropout=0.3))
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), state)
    copied = model(dropout=0.3)
    torch.manual_seed(5)
    late.fit(copied, batches(), late.ModalityDropout(0.5), epochs=4, progress=False)
    assert torch.equal(torch.get_rng_state(), state)
    assert same(one, copied)
    assert not same(one, fitted(late.ModalityDropout(0.5), start=model(dropout=0.3), seed=1))


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)


def steps(optimiser):
    return torch.optim.lr_scheduler.StepLR(optimiser, 2, 0.1)


def milestones(optimiser):
    """Its state counts milestones by epoch, and JSON knows keys of text only."""
    parts = [torch.optim.lr_scheduler.MultiStepLR(optimiser, [4], 0.1), torch.optim.lr_scheduler.StepLR(optimiser, 1)]
    return torch.optim.lr_scheduler.SequentialLR(optimiser, parts, [5])


class Stop(Exception):
    """Planted."""


@pytest.mark.parametrize("options", [{}, {"schedule": steps, "optimiser": sgd}, {"schedule": milestones}])
def test_an_interrupted_training_goes_on_and_ends_with_the_same_bits(tmp_path, options):
    way = late.OgmGe(alpha=0.5)
    whole, curves = model(dropout=0.3), None
    curves = late.fit(
        whole, batches(), way, epochs=5, progress=False, callback=lambda m: {"w": m.head.bias.sum()}, **options
    )

    def breaks(epoch):
        if epoch == 3:
            raise Stop
        return batches()(epoch)

    file = tmp_path / "deep" / "run.safetensors"
    options = options | {
        "callback": lambda m: {"w": m.head.bias.sum()},
        "epochs": 5,
        "progress": False,
        "checkpoint": file,
    }
    with pytest.raises(Stop):
        late.fit(model(dropout=0.3), breaks, way, **options)
    assert [found.name for found in file.parent.iterdir()] == ["run.safetensors"]
    again = model(dropout=0.3)
    assert late.fit(again, batches(), way, **options) == curves
    assert same(again, whole)
    finished = model(dropout=0.3)
    assert late.fit(finished, breaks, way, **options) == curves  # nothing left to do
    assert same(finished, whole)


def test_a_checkpoint_of_another_training_or_of_nothing_is_refused(tmp_path):
    file = tmp_path / "run.safetensors"
    fitted(epochs=2, checkpoint=file)
    for other, words in (
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"epochs": 3}, "epochs was 2 and is 3"),
        ({"objective": late.Unimodal()}, "objective was"),
        ({"optimiser": sgd}, "optimiser was 'Adam'"),
    ):
        with pytest.raises(ValueError, match=words):
            fitted(**({"epochs": 2, "checkpoint": file} | other))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match="cannot be read"):
        fitted(epochs=2, checkpoint=file)
    with pytest.raises(ValueError, match="is a folder"):
        fitted(epochs=2, checkpoint=tmp_path)


def slower(parameters):
    return torch.optim.Adam(parameters, lr=1e-4, weight_decay=1e-4, fused=True)


def decay(rate):
    return lambda optimiser: torch.optim.lr_scheduler.LambdaLR(optimiser, lambda epoch: rate**epoch)


INPUTS, LABEL = data()
OTHER = LABEL.clone()
OTHER[40] = (OTHER[40] + 1) % 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batches": late.shuffled(INPUTS, OTHER, 16)}, "examples was"),
        ({"batches": late.shuffled({"a": INPUTS["a"], "b": -INPUTS["b"]}, LABEL, 16)}, "examples was"),
        ({"batches": late.shuffled(INPUTS, LABEL, 17)}, "examples was"),
        ({"batches": late.shuffled(INPUTS, LABEL, 16, seed=1)}, "examples was"),
        ({"optimiser": slower}, "options of the optimiser was"),
        ({"schedule": None}, "schedule was"),
        ({"schedule": decay(0.8)}, "schedule was"),
        ({"start": model(seed=3)}, "starting weights was"),
        ({"objective": late.UnimodalTeachers(teachers(8))}, "weights of the objective was"),
        ({"objective": late.UnimodalTeachers(teachers(7), lam=2.0)}, "objective was"),
    ],
)
def test_a_checkpoint_is_continued_by_the_same_training_alone(tmp_path, change, words):
    """One changed label, another rate or other teachers: each gave the curves of the first training."""

    def run(start=None, objective=None, batches=None, **options):
        objective = objective or late.UnimodalTeachers(teachers(7))
        options = {"schedule": decay(0.9), "epochs": 2, "progress": False} | options
        return late.fit(
            copy.deepcopy(start or model()),
            batches or late.shuffled(INPUTS, LABEL, 16),
            objective,
            checkpoint=tmp_path / "run.safetensors",
            **options,
        )

    curves = run()
    assert run() == curves
    with pytest.raises(ValueError, match=f"belongs to another run: (.*; )?{words}"):
        run(**change)


def test_a_last_batch_of_one_is_named_and_can_be_left_out():
    def normed():
        encoders = {name: nn.Sequential(nn.Linear(w, 5), nn.BatchNorm1d(5)) for name, w in (("a", 4), ("b", 6))}
        return late.LateModel(encoders, late.Concat([5, 5], 3))

    options = {"epochs": 1, "progress": False}
    with pytest.raises(ValueError, match="fit: got a batch of 1 example, which batch normalisation"):
        late.fit(normed(), late.shuffled(INPUTS, LABEL, 7), **options)
    left = late.shuffled(INPUTS, LABEL, 7, drop_last=True)
    assert [len(label) for _, label in left(0)] == [7] * 7
    assert late.fit(normed(), left, **options)["loss"]


@pytest.mark.parametrize("call", [late.cross_entropy, late.confidence])
@pytest.mark.parametrize(
    ("label", "words"),
    [
        (torch.tensor([0, -100]), "labels from -100 to 0; expected 0 to 2"),  # torch leaves -100 out without a word
        (torch.tensor([0, 3]), "labels from 0 to 3"),
        (torch.tensor([0]), r"label \(1,\)"),
        (torch.tensor([[0], [1]]), r"label \(2, 1\)"),
        (torch.tensor([0.0, 1.0]), "float32"),
        (torch.tensor([], dtype=torch.int64), r"label \(0,\)"),
    ],
)
def test_labels_that_name_no_column_are_refused(call, label, words):
    with pytest.raises(ValueError, match=words):
        call(torch.zeros(2, 3), label)


# refusals
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"epochs": 1, "seed": -1}, "seed=-1"),
        ({"epochs": 1, "save_every": 0}, "save_every=0"),
    ],
)
def test_counts_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        late.fit(model(), batches(), **options)


def test_a_loss_that_explodes_and_empty_batches_are_refused():
    inputs, label = data()
    with pytest.raises(FloatingPointError, match="epoch 0"):
        late.fit(
            model(),
            late.shuffled({n: x * float("inf") for n, x in inputs.items()}, label, 10),
            epochs=1,
            progress=False,
        )
    with pytest.raises(ValueError, match="gave no example"):
        late.fit(model(), lambda epoch: [], epochs=1, progress=False)
    with pytest.raises(ValueError, match="shuffled: got lengths"):
        late.shuffled(inputs, label[:3], 10)


def test_old_names_give_the_new_things_with_a_warning():
    for old, new in (("Alone", late.Unimodal), ("Umt", late.UnimodalTeachers), ("one_of", late.unstack)):
        for home in (late, laziness):
            with pytest.warns(DeprecationWarning, match=f"{old} is now"):
                assert getattr(home, old) is new


def test_order_is_new_every_epoch_and_complete():
    orders = [
        torch.cat([label for _, label in late.shuffled({"a": torch.arange(20)}, torch.arange(20), 7)(e)])
        for e in (0, 1)
    ]
    assert all(order.sort().values.tolist() == list(range(20)) for order in orders)
    assert not torch.equal(*orders)


def test_a_head_without_a_loss_is_not_touched_by_weight_decay():
    start = late.build(lambda: {"a": nn.Linear(3, 4), "b": nn.Linear(3, 4)}, 4, 2, seed=0)
    x = {name: torch.randn(20, 3, generator=torch.Generator().manual_seed(1)) for name in "ab"}
    net = copy.deepcopy(start)
    batches = late.shuffled(x, (x["a"][:, 0] > 0).long(), 10)
    objective = late.GradientBlending({"joint": 0.0, "a": 1.0, "b": 0.0})
    late.fit(net, batches, objective, epochs=3, progress=False)  # the default optimiser has weight decay
    for part in ("head", "heads.b", "encoders.b"):
        before, after = (dict(m.get_submodule(part).named_parameters()) for m in (start, net))
        assert all(torch.equal(before[name], after[name]) for name in before), part
    assert not torch.equal(net.encoders["a"].weight, start.encoders["a"].weight)
