"""README and docs/verdicts.md from results; and the speed of what the command line imports."""

import json
import subprocess
import sys

import pytest

import mmnb
from mmnb.lab import plot, report

MARKED = "# t\n<!-- summary:begin -->\n<!-- summary:end -->\nbetween\n<!-- gallery:begin -->\nold\n<!-- gallery:end -->\nend\n"


def build(checkout):
    run = mmnb.start("07_toy")
    run.record("toy.drop", 29.7, n=15)
    run.record("toy.sign", -1.0, ci=(-2, 1))
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
    assert text.startswith("# t\n<!-- summary:begin -->\n| notebook ")
    assert text.endswith(f"between\n<!-- gallery:begin -->\n{picture}\n<!-- gallery:end -->\nend\n")
    text = page.read_text(encoding="utf-8")
    head = "## [07 · Is it a toy?](../notebooks/07_toy.ipynb)\n\nYes, it is.\n\n1 reproduced, 1 not reproduced\n\n"
    assert f"{head}<details><summary>The 2 claims</summary>\n\n| claim" in text
    assert "| 29.78 points | 29.7, n = 15 |" in text
    failed = text.split("## What did not reproduce")[1].split("\n## ")[0]
    assert "toy.sign" in failed and "toy.drop" not in failed
    assert report.render_all(checkout.root) == {file: file.read_text(encoding="utf-8") for file in (readme, page)}, (
        "a second time nothing changes"
    )


def test_the_summary_counts_every_kind_of_verdict(checkout):
    result = build(checkout)
    assert report.render_summary([result], checkout.root).splitlines() == [
        "| notebook | ✔ reproduced | ✘ not reproduced |",
        "|:---|---:|---:|",
        "| [07 · Is it a toy?](notebooks/07_toy.ipynb) | 1 | 1 |",
        "| all | 1 | 1 |",
    ]
    del result["records"]["toy.sign"]
    lines = report.render_summary([result], checkout.root).splitlines()
    assert lines[-1] == "| all | 1 | 1 |" and lines[0].endswith("| ? not recorded |")
    text = report.render_verdicts([result], checkout.root)
    assert "| ? not recorded |" in text and "1 reproduced, 1 not recorded" in text
    assert "## What did not reproduce\n\nNothing." in text


def test_the_chinese_readme_gets_the_summary_alone(checkout):
    build(checkout)
    (checkout.root / "README.md").write_text(MARKED, encoding="utf-8")
    chinese = checkout.root / "README.zh.md"
    chinese.write_text("# 题\n<!-- summary:begin -->\n<!-- summary:end -->\n", encoding="utf-8")
    report.update(checkout.root)
    assert "| all | 1 | 1 |" in chinese.read_text(encoding="utf-8")
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
    with pytest.raises(ValueError, match="expected <!-- summary:begin -->"):
        report.render_readme(text, checkout.root)


def test_reports_and_claims_import_nothing_heavy():
    code = (
        "import sys, mmnb.lab.report, mmnb.lab.claims, mmnb.lab.verdicts\n"
        "heavy = {'torch', 'matplotlib', 'pandas', 'numpy', 'IPython'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
