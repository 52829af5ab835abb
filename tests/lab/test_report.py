"""README tables and gallery from results; and the speed of what the command line imports."""

import json
import subprocess
import sys

import pytest

import mmnb
from mmnb.lab import plot, report

MARKED = "# t\n<!-- summary:begin -->\n<!-- summary:end -->\n<!-- verdicts:begin -->\nold\n<!-- verdicts:end -->\nbetween\n<!-- gallery:begin -->\n<!-- gallery:end -->\nend\n"


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


def test_the_readme_is_rendered_between_its_markers(checkout):
    readme = checkout.root / "README.md"
    readme.write_text(MARKED, encoding="utf-8")
    assert report.update_readme(checkout.root) is True
    assert "No results yet" in readme.read_text(encoding="utf-8")
    build(checkout)
    assert report.update_readme(checkout.root) is True
    text = readme.read_text(encoding="utf-8")
    assert (
        "### [07 · Is it a toy?](notebooks/07_toy.ipynb)\n\nYes, it is.\n\n1 reproduced, 1 not reproduced\n\n<details><summary>The 2 claims</summary>\n\n| claim"
        in text
    )
    assert "| 29.78 points | 29.7, n = 15 |" in text
    assert "| ✘ not reproduced |" in text
    assert (
        "![Alt (one)](figures/07_toy/one.png)\n\n**Figure 7.1.** Caption one. · [notebook](notebooks/07_toy.ipynb)"
        in text
    )
    assert "two.png" not in text
    assert "a-three.png" not in text
    assert text.startswith("# t\n<!-- summary:begin -->\n| notebook ")
    assert "between" in text
    assert text.endswith("<!-- gallery:end -->\nend\n")
    assert "old" not in text
    assert report.update_readme(checkout.root) is False
    assert report.render_readme(text, checkout.root) == text


def test_the_summary_counts_every_kind_of_verdict(checkout):
    result = build(checkout)
    assert report.render_summary(result).splitlines() == [
        "| notebook | ✔ reproduced | ✘ not reproduced |",
        "|:---|---:|---:|",
        "| [07 · Is it a toy?](notebooks/07_toy.ipynb) | 1 | 1 |",
        "| all | 1 | 1 |",
    ]
    del result["records"]["toy.sign"]
    assert report.render_summary(result).splitlines()[-1] == "| all | 1 | 1 |"
    assert report.render_summary(result).splitlines()[0].endswith("| ? not recorded |")
    assert "No results yet" in report.render_summary()


def test_the_chinese_readme_gets_the_summary_alone(checkout):
    build(checkout)
    (checkout.root / "README.md").write_text(MARKED, encoding="utf-8")
    chinese = checkout.root / "README.zh.md"
    chinese.write_text("# 题\n<!-- summary:begin -->\n<!-- summary:end -->\n", encoding="utf-8")
    assert report.update_readme(checkout.root) is True
    assert "| all | 1 | 1 |" in chinese.read_text(encoding="utf-8")
    assert report.update_readme(checkout.root) is False
    chinese.write_text("# 题\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"README\.zh\.md: expected <!-- summary:begin -->"):
        report.update_readme(checkout.root)


def test_the_root_that_is_given_counts(checkout, tmp_path, monkeypatch):
    result = build(checkout)
    (tmp_path / "other" / "data" / "claims").mkdir(parents=True)
    monkeypatch.setenv("MMNB_ROOT", str(tmp_path / "other"))
    assert "Is it a toy?" in report.render_verdict_table(result, root=checkout.root)
    with pytest.raises(ValueError, match="unknown notebook '07_toy'"):
        report.render_verdict_table(result)


def test_a_claim_without_a_record_shows(checkout):
    result = build(checkout)
    del result["records"]["toy.sign"]
    text = report.render_verdict_table(result)
    assert "? not recorded" in text
    assert "1 reproduced, 1 not recorded" in text


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
