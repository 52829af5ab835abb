"""A file is written whole or not at all, and is as readable as the user's umask says."""

import os
import stat
import sys

import pytest

from mmnb import paths


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
