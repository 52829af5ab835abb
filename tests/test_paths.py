"""Where files go: on this computer, whole, without litter, as readable as the umask says; and what text is."""

import os
import stat
import sys
import time

import pytest

from mmnb import paths


@pytest.mark.parametrize("path", ["", "  ", "s3://bucket/x", "gs://b", "https://host/x", "file:/x"])
def test_what_is_no_path_of_this_computer_is_refused(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"path: got .* expected a file or folder of this computer"):
        paths.write_text(path, "x")
    monkeypatch.setenv("MMNB_DATA", path.strip() or "s3://b")
    with pytest.raises(ValueError, match="MMNB_DATA: got "):
        paths.cache()
    assert list(tmp_path.iterdir()) == []


def test_a_drive_and_a_colon_are_paths():
    assert paths.local("C:/x").name == "x" and paths.local("/a:/b").name == "b" and paths.local("a:b").name == "a:b"


def test_a_write_removes_what_a_killed_one_left_a_day_ago(tmp_path):
    for name, age in ((".a-old.part.txt", 90_000), (".a-new.part.txt", 10), (".b-old.part.txt", 90_000)):
        (tmp_path / name).write_text("half", encoding="utf-8")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    paths.write_text(tmp_path / "a.txt", "whole")
    assert {file.name for file in tmp_path.iterdir()} == {"a.txt", ".a-new.part.txt", ".b-old.part.txt"}


def test_text_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfx")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    assert paths.read_text(tmp_path / "a.txt") == "x"
    with pytest.raises(ValueError, match=r"b\.txt: got bytes that are not UTF-8"):
        paths.read_text(tmp_path / "b.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_the_umask_is_respected(tmp_path, umask, mode):
    file, before = tmp_path / "new" / "marks.json", os.umask(umask)
    try:
        paths.write_text(file, "{}")
        paths.write_text(file, "[]")  # the second time, too
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == mode
    assert file.read_text(encoding="utf-8") == "[]"


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    file = tmp_path / "a.txt"
    paths.write_text(file, "old")
    with pytest.raises(KeyError), paths.replace(file) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise KeyError
    assert [(one.name, one.read_text(encoding="utf-8")) for one in tmp_path.iterdir()] == [("a.txt", "old")]
