"""The authors' result files: shape, every number of the headline table, and what is refused."""

import pytest

from mmnb.data import cross_modal_ablation as cma

HEADLINE = {  # MLM none, object, all; KL none, phrase, all, to the digits printed in the table of results
    "LXMERT": (4.681, 4.996, 5.717, 0.5118, 0.5142, 0.5182),
    "ViLBERT": (4.677, 5.126, 5.920, 0.6668, 0.6878, 0.7383),
    "VL-BERT": (5.548, 5.789, 6.453, 0.6093, 0.6175, 0.6309),
    "VisualBERT": (4.636, 4.911, 5.505, 2.936, 2.953, 2.932),
    "UNITER": (4.614, 4.944, 5.801, 0.5961, 0.6026, 0.6161),
}


@pytest.mark.usefixtures("remote_files")
@pytest.mark.parametrize("model", cma.MODELS)
def test_headline_rows(model):
    masks = ["none", "aligned", "all"]
    for table, measure, wanted, width in (("words", "MLM", HEADLINE[model][:3], 6e-4), ("regions", "MRC-KL", HEADLINE[model][3:], 6e-4)):  # fmt: skip
        rows = cma.load(table)
        rows = rows[(rows.model == model) & rows.seed.isna()].set_index("mask")
        assert rows.loc[masks, measure].tolist() == pytest.approx(list(wanted), abs=width)


@pytest.mark.usefixtures("remote_files")
def test_ten_seeds_of_five_models_and_the_seed_behind_each_headline_row():
    words = cma.load("words")
    seeds = cma.by_seed(words, "MLM")
    assert list(seeds) == list(cma.MODELS) and all(frame.shape == (10, 3) for frame in seeds.values())
    for model, seed in (("LXMERT", 0), ("ViLBERT", 33), ("VL-BERT", 89), ("VisualBERT", 1234), ("UNITER", 73)):
        headline = words[(words.model == model) & words.seed.isna() & (words["mask"] == "none")].MLM.item()
        assert seeds[model].loc[seed, "none"] == pytest.approx(headline, abs=1e-6)


@pytest.mark.usefixtures("remote_files")
def test_label_match_tables_and_text_only_models():
    for name in ("labelmatch", "labelmatch-agree"):
        assert set(cma.load(name).columns) == {"model", "seed", "mask", "MRC-KL", "MRC-XE-VG"}
    words = cma.load("words").set_index("model")
    assert words.loc["BERT", "MLM"] == pytest.approx(7.439, abs=5e-4)
    assert words.loc["BERT-CC", "MLM"] == pytest.approx(5.394, abs=5e-4)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("\tModel\tMask\n0\tA\tAll\n", "no column MLM"),
        ("\tModel\tMask\tMLM\n0\tA\tAll\tx\n", "no numbers"),
        ("\tModel\tMask\tMLM\n0\tA\tAll\t1\n1\tA\tAll\t2\n", "twice"),
    ],
)
def test_damaged_files(tmp_path, text, word):
    file = tmp_path / "a.tsv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=word):
        cma.read(file, ["MLM"])


@pytest.mark.usefixtures("remote_files")
def test_another_table_and_a_missing_seed_are_refused():
    with pytest.raises(ValueError, match="expected one of words"):
        cma.load("pixels")
    words = cma.load("words")
    with pytest.raises(ValueError, match="UNITER has seeds"):
        cma.by_seed(words[~((words.model == "UNITER") & (words.seed == 42))], "MLM")  # fmt: skip
