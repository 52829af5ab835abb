"""README and docs/verdicts.md from results; and the speed of what the command line imports."""

import json
import subprocess
import sys

import pytest

import mmnb
from mmnb.lab import plot, report

MARKED = "# t\n<!-- answers:begin -->\n<!-- answers:end -->\n<!-- summary:begin -->\n<!-- summary:end -->\nbetween\n<!-- gallery:begin -->\nold\n<!-- gallery:end -->\nend\n"


def build(checkout):
    run = mmnb.start("07_toy")
    run.record("toy.drop", 29.7, n=15)
    run.record("toy.sign", -1.0, ci=(-2, -0.5))
    for name in ("one", "two", "a-three"):
        run.figure(plot.subplots()[0], name, caption=f"Caption {name}.", alt=f"Alt [{name}]")
    run.environment()
    records = json.loads((run.out / "records.json").read_text(encoding="utf-8"))
    stored = json.dumps(records, sort_keys=True)  # so that the order of keys means nothing, as in the committed files
    (checkout.root / "data" / "results" / "07_toy.json").write_text(stored, encoding="utf-8")
    (checkout.root / "notebooks").mkdir()
    (checkout.root / "notebooks" / "07_toy.py").write_text(
        "# %% [markdown]\n# # 07 · Is it a toy?\n#\n# **Answer.** Yes,\n# it is.\n#\n# More.\n\n# %%\n1\n",
        encoding="utf-8",
    )
    return json.loads(stored)


def test_readme_and_verdicts_are_rendered(checkout, monkeypatch):
    monkeypatch.setattr(report, "PICTURES", ("07_toy/one", "07_toy/of another time"))
    readme, page = checkout.root / "README.md", checkout.root / "docs" / "verdicts.md"
    readme.write_text(MARKED, encoding="utf-8")
    report.update(checkout.root)
    assert readme.read_text(encoding="utf-8").count("No results yet") == 2
    assert "No results yet" in page.read_text(encoding="utf-8")
    build(checkout)
    report.update(checkout.root)
    text = readme.read_text(encoding="utf-8")
    picture = (
        "![Alt (one)](figures/07_toy/one.png)\n\n**Figure 7.1.** Caption one. · [notebook](notebooks/07_toy.ipynb)"
    )
    answers = "- [07 · Is it a toy?](notebooks/07_toy.ipynb): Yes, it is."
    head = f"# t\n<!-- answers:begin -->\n{answers}\n<!-- answers:end -->\n"
    assert text.startswith(f"{head}<!-- summary:begin -->\n| notebook ")
    assert text.endswith(f"between\n<!-- gallery:begin -->\n{picture}\n<!-- gallery:end -->\nend\n")
    text = page.read_text(encoding="utf-8")
    head = "## [07 · Is it a toy?](../notebooks/07_toy.ipynb)\n\nYes, it is.\n\n"
    assert f"{head}<details><summary>Paper versus ours: 1 reproduced, 1 does not hold</summary>\n\n| claim" in text
    assert "| 29.78 points | 29.7, n = 15 |" in text
    failed = text.split("## What did not reproduce or hold")[1].split("\n## ")[0]
    assert "toy.sign" in failed and "toy.drop" not in failed
    assert report.render_all(checkout.root) == {file: file.read_text(encoding="utf-8") for file in (readme, page)}, (
        "a second time nothing changes"
    )


def test_the_summary_counts_every_kind_of_verdict(checkout):
    result = build(checkout)
    header, _, row, total = report.render_summary([result], checkout.root).splitlines()
    names = ("reproduced", "partly", "not reproduced", "undecided", "not testable here", "our claims", "checks")
    assert all(name in header for name in names)
    assert row == "| [07 · Is it a toy?](notebooks/07_toy.ipynb) | 1 | 0 | 0 | 0 | 0 | 0 of 1 hold | 0 of 0 passed |"
    assert total == row.replace("[07 · Is it a toy?](notebooks/07_toy.ipynb)", "all")
    result["records"]["toy.sign"] |= {"verdict": "undecided", "reason": "n = 2; it takes 3 to decide"}
    text = report.render_verdicts([result], checkout.root)
    assert "toy.sign" in text.split("## What is undecided")[1].split("\n## ")[0]
    assert "## What did not reproduce or hold\n\nNothing." in text
    del result["records"]["toy.sign"]
    assert "1 reproduced, 1 not recorded" in report.render_verdicts([result], checkout.root)


def test_the_chinese_readme_gets_the_summary_alone(checkout):
    build(checkout)
    (checkout.root / "README.md").write_text(MARKED, encoding="utf-8")
    chinese = checkout.root / "README.zh.md"
    chinese.write_text("# 题\n<!-- summary:begin -->\n<!-- summary:end -->\n", encoding="utf-8")
    report.update(checkout.root)
    assert "| all | 1 | 0 | 0 | 0 | 0 | 0 of 1 hold" in chinese.read_text(encoding="utf-8")
    chinese.write_text("# 题\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"README\.zh\.md: expected <!-- summary:begin -->"):
        report.update(checkout.root)


def test_the_root_that_is_given_counts(checkout, tmp_path, monkeypatch):
    result = build(checkout)
    (tmp_path / "other" / "data" / "claims").mkdir(parents=True)
    monkeypatch.setenv("MMNB_ROOT", str(tmp_path / "other"))
    assert "Is it a toy?" in report.render_verdicts([result], checkout.root)
    with pytest.raises(ValueError, match="unknown notebook '07_toy'"):
        report.render_verdicts([result], tmp_path / "other")


@pytest.mark.parametrize(
    "text",
    [
        "",
        MARKED.replace("summary:end", "summary:over"),
        MARKED * 2,
        MARKED.replace("summary:begin", "x").replace("summary:end", "summary:begin").replace("x", "summary:end"),
    ],
)
def test_missing_markers_are_an_error(checkout, text):
    with pytest.raises(ValueError, match=r"expected <!-- (answers|summary):begin -->"):
        report.render_readme(text, checkout.root)


def test_reports_and_claims_import_nothing_heavy():
    code = (
        "import sys, mmnb.lab.report, mmnb.lab.claims, mmnb.lab.verdicts\n"
        "heavy = {'torch', 'matplotlib', 'pandas', 'numpy', 'IPython'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
