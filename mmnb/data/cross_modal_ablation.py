"""What taking one modality away did to five pretrained vision-and-language models: the authors' own results per model, seed and mask."""

from pathlib import Path

import pandas as pd

from mmnb.data import remote

MODELS = ("LXMERT", "ViLBERT", "VL-BERT", "VisualBERT", "UNITER")
SEEDS = (0, 27, 33, 42, 54, 69, 73, 89, 93, 1234)
TABLES = {  # name -> file, measures; all in bits
    "words": ("val_0.5_vis4lang.tsv", ["MLM"]),
    "regions": ("val_0.5_lang4vis.tsv", ["MRC-KL"]),
    "hard-labels": ("val_0.5_lang4vis.tsv", ["MRC-XE"]),
    "labelmatch": ("val_labelmatch_0.5_lang4vis.tsv", ["MRC-KL", "MRC-XE-VG"]),
    "labelmatch-agree": ("val_labelmatch-agree_0.5_lang4vis.tsv", ["MRC-KL", "MRC-XE-VG"]),
}
FOLLOW_UPS = {  # question -> variant as printed here -> model in the files
    "initialisation": {
        "UNITER, random": "UNITER_rnd-vl",
        "UNITER, random, vision first": "UNITER_rnd-v-vl",
        "UNITER, BERT, vision first": "UNITER_bert-v-vl",
        "ViLBERT, random": "ViLBERT_rnd-vl",
    },
    "overlap in pretraining": {
        **{f"UNITER, IoU .{k}": f"UNITER-thr0{k}" for k in (2, 4, 6)},
        **{f"UNITER, IoT .{k}": f"UNITER-thr0{k}iot" for k in (2, 4, 6)},
        "UNITER, none": "UNITER-thr10",
        "ViLBERT, IoU .4": "ViLBERT-thr04",
    },
    "loss on regions": {"UNITER, hard labels": "UNITER-xent"},
}


def load(table: str = "words") -> pd.DataFrame:
    """One of the authors' result files, one row per model, seed and mask.

    The tables are "words" (loss on masked phrases when regions are taken away), "regions" (loss on a masked region when
    words are), "hard-labels" (the same against the detector's first class), "labelmatch" and "labelmatch-agree" (the same where the phrase names one class of the detector, and where
    the detector agrees). Columns are model; seed (Int64, missing for the headline rows and variants); mask, "none",
    "aligned" (threshold 0.5, or the phrase) or "all", or for "words" also a threshold of overlap such as "0.3"; and the
    measures in bits, MLM, MRC-KL, MRC-XE or MRC-XE-VG. MRC-XE is right for UNITER-xent alone, which was trained on it:
    its labels are shifted by one class against the outputs of all others.

    Source: github.com/e-bug/cross-modal-ablation (MIT licence), folder notebooks; Flickr30k Entities, 14,433 phrases.
    """
    if table not in TABLES:
        raise ValueError(f"cross_modal_ablation.load: got table={table!r}; expected one of {', '.join(TABLES)}")
    file, measures = TABLES[table]
    return read(remote.fetch(f"cross-modal-ablation/{file}"), measures)


def read(path: Path, measures: list[str]) -> pd.DataFrame:
    """Read a result file: masks "None", "All", "Phrase" or a threshold; models with their seed, "UNITER_s42", or without.

    Raises ValueError when a column is missing, a number is none, or a model and mask come twice.
    """
    raw = pd.read_csv(path, sep="\t", index_col=0, keep_default_na=False, dtype=str)
    if missing := {"Model", "Mask", *measures} - set(raw.columns):
        lacks, expected = (", ".join(names) for names in (sorted(missing), ["Model", "Mask", *measures]))
        raise ValueError(f"{path.name} has no column {lacks}; expected {expected}")
    raw = raw[(raw[measures] != "").all(axis=1)]  # a model trained with hard labels has no MRC-KL
    named = raw["Model"].str.extract(r"^(?P<model>.+?)(?:_s(?P<seed>\d+))?$")
    mask = raw["Mask"].str.lower().replace({"phrase": "aligned", "0.5": "aligned", "": "none"})
    values = raw[measures].apply(pd.to_numeric, errors="coerce")
    if values.isna().any(axis=None):
        raise ValueError(f"{path.name} has {int(values.isna().sum().sum())} entries that are no numbers; expected bits")
    table = pd.DataFrame({"model": named["model"], "seed": pd.to_numeric(named["seed"]).astype("Int64"), "mask": mask, **values})  # fmt: skip
    if table.duplicated(["model", "seed", "mask"]).any():
        raise ValueError(f"{path.name} has a model and mask twice; expected each once")
    return table.reset_index(drop=True)


def by_seed(table: pd.DataFrame, measure: str) -> dict[str, pd.DataFrame]:
    """model -> the ten seeds as rows, masks none, aligned, all as columns. Raises ValueError when one is missing."""
    found = {}
    for model in MODELS:
        own = table[(table["model"] == model) & table["seed"].notna()]
        wide = own.pivot(index="seed", columns="mask", values=measure)
        if sorted(wide.index) != sorted(SEEDS) or not {"none", "aligned", "all"} <= set(wide.columns) or wide.isna().any(axis=None):  # fmt: skip
            expected = f"{', '.join(map(str, SEEDS))}, each under every mask"
            raise ValueError(f"by_seed: {model} has seeds {sorted(wide.index)}; expected {expected}")
        found[model] = wide[["none", "aligned", "all"]].astype(float)
    return found
