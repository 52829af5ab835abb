"""What a report would cost, fitting into a budget, and what is left after an interruption."""

import time

import pytest

import mmnb
from mmnb.diagnosis.plan import seconds_of


def slow(world, calls, seconds=1e-4):
    def model(image, text):
        calls.append(len(image))
        time.sleep(seconds * len(image))
        return world.model(image, text)

    return model


def test_a_plan_runs_two_batches_only(world):
    calls = []
    plan = mmnb.diagnose(slow(world, calls), mmnb.Data(**world.data), plan=True, batch_size=50)
    assert sum(calls) <= 101 and plan.passes == 10_000 and plan.shifts is None
    assert 0.7 < plan.seconds < 6
    assert dict(plan.sections)["answer"] == "runs" and dict(plan.sections)["pairs"] == "needs pair="
    assert str(plan).splitlines()[0].startswith("10,000 forward passes, about ")


def test_a_budget_draws_partners(world):
    data = mmnb.Data(**world.data)
    plan = mmnb.diagnose(slow(world, []), data, plan=True, budget="0.3 s", batch_size=50)
    assert plan.shifts is not None and 2 <= plan.shifts < 40 and plan.passes == 100 * (plan.shifts + 1)
    assert mmnb.diagnose(slow(world, []), data, plan=True, budget="1 h").shifts is None
    report = mmnb.diagnose(slow(world, []), data, budget=0.3, progress=False, batch_size=50)
    assert "a sample of all pairs" in str(report["card"].data["facts"]) and "partners" in str(
        report["card"].data["facts"]
    )


@pytest.mark.parametrize("budget", ["soon", "3 parsecs", -1, float("nan")])
def test_budgets_that_are_none(world, budget):
    with pytest.raises(ValueError, match=r"budget.*expected"):
        mmnb.diagnose(world.model, mmnb.Data(**world.data), budget=budget)
    assert seconds_of("2 hours") == 7200


def test_a_killed_pass_goes_on_and_ends_with_the_same_report(world, report, tmp_path):
    calls, file = [], tmp_path / "pass.safetensors"

    def killed(image, text):
        calls.append(len(image))
        if sum(calls) > 5000:
            raise KeyboardInterrupt
        return world.model(image, text)

    how = dict(checkpoint=file, save_every=0, progress=False, batch_size=200)
    data = mmnb.Data(**world.data)
    with pytest.raises(KeyboardInterrupt):
        mmnb.diagnose(killed, data, **how)
    assert file.exists()
    calls.clear()

    def counted(image, text):
        calls.append(len(image))
        return world.model(image, text)

    again = mmnb.diagnose(counted, data, **how)
    assert sum(calls) < 8000
    for name in ("answer", "shares", "reliance", "conflict"):
        mine, theirs = ([row["value"] for row in one[name].data["rows"]] for one in (again, report))
        assert mine == pytest.approx(theirs, abs=1e-9), name


def test_ctrl_c_after_the_pass_keeps_what_was_done(world, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mmnb.diagnosis.sections.grid.instruments.conflict", stopped)
    report = mmnb.diagnose(world.model, mmnb.Data(**world.data), progress=False)
    assert report["answer"].status == "measured" and report["conflict"].answer == "interrupted"
    assert report["examples"].answer == "needs an uninterrupted run" and report["not-used"].status == "measured"
