"""The cache of derived arrays may be damaged, read-only or shared: none of it may change what a caller gets."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from mmnb.data import derived


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_CACHE", str(tmp_path / "derived"))
    return tmp_path / "derived"


def kept(build, setting="k"):
    return derived.arrays("toy", build, source=__file__, packages=["numpy"], setting=setting)


def the_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


class Builder:
    """Counts how often it is asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"x": np.arange(1000), "y": np.ones((2, 3), dtype=np.uint8)}


def test_built_once_then_read(folder):
    build = Builder()
    first, second = kept(build, "k1"), kept(build, "k1")
    assert build.calls == 1 and the_file(folder).match("toy-*.npz")
    for name in ("x", "y"):
        np.testing.assert_array_equal(first[name], second[name])
        assert first[name].dtype == second[name].dtype
    second["x"][:] = 0  # the caller owns what it gets
    np.testing.assert_array_equal(kept(build, "k1")["x"], np.arange(1000))
    kept(build, "k2")
    assert build.calls == 2


@pytest.mark.parametrize("damage", ["empty", "cut", "garbage", "one byte", "folder"])
def test_a_damaged_file_is_made_again(folder, damage):
    build = Builder()
    kept(build, "k")
    file = the_file(folder)
    whole = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        middle = len(whole) // 3
        spoilt = {"empty": b"", "cut": whole[: len(whole) // 2], "garbage": b"PK\x03\x04" + b"?" * 500}
        spoilt["one byte"] = whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
        file.write_bytes(spoilt[damage])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if damage == "folder" else "error")
        again = kept(build, "k")
    assert build.calls == 2
    np.testing.assert_array_equal(again["x"], np.arange(1000))
    if damage != "folder":
        assert file.read_bytes() == whole


def swapped(stored):
    return stored | {"x": stored["x"][::-1]}


@pytest.mark.parametrize(
    "change",
    [
        swapped,
        lambda stored: {"other": np.arange(3)},
        lambda stored: {name: value for name, value in stored.items() if name != "y"},
        lambda stored: stored | {"x": stored["x"].astype(np.int32)},
        lambda stored: stored | {"x": np.array(b"hello")},
        lambda stored: {name: value for name, value in stored.items() if name != "sha256"},
    ],
)
def test_a_whole_file_with_other_content_is_made_again(folder, change):
    build = Builder()
    kept(build, "k")
    with np.load(the_file(folder)) as stored:
        other = change(dict(stored))
    np.savez_compressed(the_file(folder), **other)
    again = kept(build, "k")
    assert build.calls == 2 and list(again) == ["x", "y"]
    np.testing.assert_array_equal(again["x"], np.arange(1000))


def test_a_folder_that_cannot_be_written_costs_a_warning_only(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("MMNB_CACHE", str(tmp_path / "file" / "derived"))
    build = Builder()
    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="MMNB_CACHE"):
            np.testing.assert_array_equal(kept(build, "k")["x"], np.arange(1000))
    assert build.calls == 2


def test_an_error_while_building_leaves_nothing(folder):
    def fail():
        raise KeyError("no such picture")

    with pytest.raises(KeyError):
        kept(fail, "k")
    assert not folder.exists()


def test_processes_that_build_at_once_all_succeed(folder):
    program = (
        "import time, numpy as np\nfrom mmnb.data import derived\n"
        "def build():\n    time.sleep(0.3)\n    return {'x': np.arange(100000)}\n"
        "print(derived.arrays('toy', build, source=np.__file__, packages=[])['x'].sum())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in running:
        out, error = process.communicate(timeout=60)
        assert process.returncode == 0 and error == "" and out.strip() == "4999950000"
    assert the_file(folder).match("toy-*.npz")


def test_another_code_version_or_setting_is_another_file(folder, tmp_path):
    source, build = tmp_path / "builder.py", Builder()
    source.write_text("x = 1\n", encoding="utf-8")
    for packages, size in ((["numpy"], 32), (["numpy"], 16), (["numpy", "pillow"], 32)):
        derived.arrays("toy", build, source=source, packages=packages, size=size)
    source.write_text("x = 2\n", encoding="utf-8")
    derived.arrays("toy", build, source=source, packages=["numpy"], size=32)
    assert build.calls == len(list(folder.iterdir())) == 4


def test_folder_default_is_the_users_cache(monkeypatch):
    monkeypatch.delenv("MMNB_CACHE")
    assert derived.folder() == Path(platformdirs.user_cache_dir("mmnb", appauthor=False)) / "derived"
