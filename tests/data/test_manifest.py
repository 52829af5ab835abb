"""The manifest of the project itself, and the catalogue over everything."""

import operator
import re
import subprocess
import sys

import numpy as np
import pytest

import mmnb.data
from mmnb import DataUnavailable
from mmnb.data import remote

KEYS = list(remote.files())


def test_every_entry_is_pinned_licensed_and_hashed():
    assert len(KEYS) == 15 and len(set(KEYS)) == 15
    for entry in remote.files().values():
        assert re.search(r"/[0-9a-f]{40}(/|\.tar\.gz$)", entry.url), f"{entry.key}: not pinned to a commit"
        assert entry.url.startswith("https://") and re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert entry.licence in ("MIT", "CC-BY-SA-4.0") and entry.size > 0
        assert entry.key.startswith(entry.dataset + "/") and "\\" not in entry.key and ".." not in entry.key


@pytest.mark.parametrize("key", KEYS)
def test_real_files_have_the_hash_and_size_of_the_manifest(remote_files, key):
    if not remote.files()[key].present:
        pytest.skip(f"{key} is not in {remote_files}: fetch it with `mmnb data {key.split('/')[0]} --fetch`")
    path = remote.fetch(key)
    assert path == remote_files.joinpath(*key.split("/"))
    files = [path] if path.is_file() else list(path.glob("*.wav"))
    assert sum(file.stat().st_size for file in files) == remote.files()[key].size
    if path.suffix == ".npy":
        array = remote.array(key)
        assert array.ndim == 3 and len(array) == 2 and np.isfinite(array).all()  # two modalities, n pairs, width


def test_3000_recordings_of_six_speakers(remote_files):
    if not remote.files()["fsdd/recordings"].present:
        pytest.skip(f"fsdd/recordings is not in {remote_files}: fetch it with `mmnb data fsdd --fetch`")
    names = [file.stem.split("_") for file in remote.fetch("fsdd/recordings").glob("*.wav")]
    assert (
        len(names) == 3000
        and len({speaker for _, speaker, _ in names}) == 6
        and {digit for digit, _, _ in names} == set("0123456789")
    )


def test_catalogue_lists_everything_with_licence_and_size(tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_DATA", str(tmp_path / "nothing here"))
    entries = {entry.name: entry for entry in mmnb.data.catalogue()}
    assert [name for name, entry in entries.items() if entry.kind == "remote"] == [
        "emap-lxmert",
        "modality-gap",
        "cross-modal-ablation",
        "fsdd",
    ]
    assert {entry.kind for entry in entries.values()} == {"package", "remote", "paper"}
    for entry in entries.values():
        assert entry.size_bytes > 0 and entry.licence and entry.title and entry.how and entry.where
        assert entry.present == (entry.kind == "package"), entry.name
    assert not (tmp_path / "nothing here").exists()  # looking creates nothing


def test_catalogue_sees_the_real_files(remote_files):
    present = {entry.name for entry in mmnb.data.catalogue() if entry.present}
    assert "emap-lxmert" in present and mmnb.data.fetch("emap-lxmert").present


def test_fetch_of_what_no_program_can_fetch_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable, match=r"6\.7 GB, licence CC-BY-4\.0.*visualqa\.org"):
        mmnb.data.fetch("vqa-v2")
    with pytest.raises(ValueError, match="expected one of glyphs"):
        mmnb.data.fetch("glpyhs")
    assert mmnb.data.fetch("glyphs").present


def test_without_a_network_every_remote_data_set_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_DATA", str(tmp_path))
    for name in ("emap-lxmert", "fsdd"):  # the fixture `_no_network` refuses every other computer
        with pytest.raises(DataUnavailable, match=f"download failed.*Get it yourself .*licence .*https://.*{name}"):
            mmnb.data.fetch(name)


def test_listing_loads_neither_torch_nor_the_network_libraries():
    program = "import sys, mmnb.data; mmnb.data.catalogue(); print(sorted({'torch', 'matplotlib', 'requests', 'pooch', 'pandas'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"


def test_an_unknown_world_names_the_known_ones():
    with pytest.raises(AttributeError, match="easyvqa"):
        operator.attrgetter("easy_vqa")(mmnb.data)


def test_readme_describes_every_data_set():
    lines = (remote.manifest_file().parent / "README.md").read_text(encoding="utf-8").splitlines()
    rows = {cells[1].strip(): cells for line in lines if len(cells := line.split("|")) == 7}
    for entry in mmnb.data.catalogue():
        assert rows[entry.name][5].strip() == entry.licence
        if entry.kind != "package":
            size, unit = remote.size_in_words(entry.size_bytes).split()
            stated, stated_unit = rows[entry.name][3].split()
            assert unit == stated_unit and abs(float(size) - float(stated)) < 0.5  # the table may round
