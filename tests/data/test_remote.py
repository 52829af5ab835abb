"""Remote files: the download path against a server on this computer, and what happens when anything on the way goes wrong."""

import hashlib
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from mmnb import DataUnavailable
from mmnb.data import remote


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def left_over(cache: Path) -> list[str]:
    """Everything in the cache folder that is not a wanted file."""
    return [file.name for file in cache.rglob("*") if file.name.startswith(".")]


@pytest.fixture
def cache(checkout, tmp_path) -> Path:
    return tmp_path / "cache"


def test_downloads_once_then_uses_the_cache(cache, server):
    path = remote.fetch("toy/good.txt")
    assert path == cache / "toy" / "good.txt" and path.read_bytes() == server.content
    assert remote.fetch("toy/good.txt") == path
    assert server.requests == ["/good"] and left_over(cache) == []


@pytest.mark.parametrize(
    ("route", "reason", "asked"),
    [("missing", "404", 2), ("truncated", "ChunkedEncodingError", 2), ("wrong", "does not match", 2)],
)
def test_a_failed_download_says_all_and_leaves_nothing(cache, server, route, reason, asked):
    with pytest.raises(DataUnavailable) as failure:
        remote.fetch(f"toy/{route}.txt")
    message = str(failure.value)
    for part in (
        reason,
        "11.2 kB",
        "licence MIT",
        f"{server.url}/{route}",
        str(cache / "toy" / f"{route}.txt"),
        "MMNB_DATA",
    ):
        assert part in message
    assert len(server.requests) == asked
    assert not (cache / "toy" / f"{route}.txt").exists() and left_over(cache) == []


def test_tries_again_when_the_server_is_busy(cache, server):
    assert remote.fetch("toy/flaky.txt").read_bytes() == server.content
    assert server.requests == ["/flaky", "/flaky"]


def test_a_silent_server_is_given_up(cache, monkeypatch):
    monkeypatch.setattr(remote, "TIMEOUT", (5.0, 0.2))
    start = time.monotonic()
    with pytest.raises(DataUnavailable, match=r"failed \(ReadTimeout\)"):
        remote.fetch("toy/silent.txt")
    assert time.monotonic() - start < 3


def test_a_refused_connection_fails_at_once(cache, checkout):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        manifest = checkout / "data" / "manifest.toml"
        text = manifest.read_text(encoding="utf-8")
        port = text.split("http://127.0.0.1:")[1].split("/")[0]
        manifest.write_text(text.replace(f":{port}/", f":{taken.getsockname()[1]}/"), encoding="utf-8")
        start = time.monotonic()
        with pytest.raises(DataUnavailable, match=r"the download failed \(ConnectionError\)"):
            remote.fetch("toy/good.txt")
    assert time.monotonic() - start < 4


@pytest.mark.parametrize("key", ["toy/good.txt", "toy/recordings"])
def test_an_interrupted_download_leaves_nothing(cache, monkeypatch, key):
    def interrupt(self, url, file, pooch):
        Path(file).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", interrupt)
    with pytest.raises(KeyboardInterrupt):
        remote.fetch(key)
    assert [file.name for file in cache.rglob("*")] == ["toy"]


def test_a_damaged_file_in_the_cache_is_neither_used_nor_removed(cache, server):
    file = cache / "toy" / "good.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(server.content[:-1])
    with pytest.raises(ValueError, match="damaged") as failure:
        remote.fetch("toy/good.txt")
    message = str(failure.value)
    assert str(file) in message and remote.files()["toy/good.txt"].sha256 in message and sha256(file) in message
    assert file.read_bytes() == server.content[:-1] and server.requests == []


def test_a_folder_in_the_place_of_a_file_is_an_error(cache):
    (cache / "toy" / "good.txt").mkdir(parents=True)
    with pytest.raises(ValueError, match="got no file; expected a file"):
        remote.fetch("toy/good.txt")


def test_a_file_put_there_by_hand_is_enough(cache, server):
    file = cache / "toy" / "missing.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(server.content)
    assert remote.fetch("toy/missing.txt") == file and server.requests == []


def test_a_cache_that_cannot_be_written_says_so(cache, server):
    cache.write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(DataUnavailable, match="not in the cache and could not be downloaded or kept") as failure:
        remote.fetch("toy/good.txt")
    assert "MMNB_DATA" in str(failure.value) and server.requests == []


def test_a_read_only_cache_serves_what_it_has(cache, server, monkeypatch):
    remote.fetch("toy/good.txt")

    def refuse(*args, **kwargs):  # permissions would not stop an administrator, who runs tests too
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    assert remote.fetch("toy/good.txt").is_file()
    for key in ("toy/flaky.txt", "toy/recordings"):
        with pytest.raises(DataUnavailable, match="Permission denied"):
            remote.fetch(key)
    assert server.requests == ["/good"]


@pytest.mark.parametrize("key", ["toy/slow.txt", "toy/recordings"])
def test_processes_that_fetch_at_once_all_succeed(cache, key):
    program = f"from mmnb.data import remote; print(remote.fetch({key!r}).name)"
    running = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in running:
        out, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
        assert out.strip() == key.split("/")[1]
    assert left_over(cache) == []


def test_archive_becomes_a_folder_of_the_wanted_members(cache, server):
    folder = remote.fetch("toy/recordings")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == server.recordings
    (folder / "Thumbs.db").write_bytes(b"what file managers leave behind")
    assert remote.fetch("toy/recordings") == folder and server.requests == ["/archive"] and left_over(cache) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda server: server.pack(server.recordings)[:-40],
        lambda server: server.pack({**server.recordings, "0_ann_0.wav": b"changed"}),
        lambda server: server.pack({**server.recordings, "../../../escaped.wav": b"out"}),
        lambda server: b"<html>not an archive</html>",
    ],
    ids=["truncated", "one file changed", "path outside", "no archive"],
)
def test_an_archive_with_other_content_is_refused(cache, server, spoil):
    server.archive = spoil(server)
    with pytest.raises(DataUnavailable, match=r"EOFError|ReadError|OutsideDestinationError|other contents"):
        remote.fetch("toy/recordings")
    assert [file.name for file in cache.rglob("*")] == ["toy"]
    assert not list(cache.parent.rglob("escaped.wav"))


def test_links_and_paths_in_an_archive_are_left_out(cache, server):
    server.archive = server.pack(
        {**server.recordings, "../../escaped.wav": b"out", "huge.wav": b"0" * 2000}, link="/etc/hostname"
    )
    folder = remote.fetch("toy/recordings")
    assert sorted(file.name for file in folder.iterdir()) == sorted(server.recordings)
    assert not list(cache.parent.rglob("*escaped.wav"))


def test_an_archive_folder_with_a_file_missing_is_refused(cache):
    folder = remote.fetch("toy/recordings")
    (folder / "1_ann_0.wav").unlink()
    with pytest.raises(ValueError, match="damaged"):
        remote.fetch("toy/recordings")


def test_an_unknown_key_names_the_near_ones(cache):
    with pytest.raises(ValueError, match=r"toy/good\.txt"):
        remote.fetch("toy/god.txt")
    with pytest.raises(ValueError, match="expected one of toy"):
        remote.fetch_dataset("toys")


def test_an_incomplete_entry_is_refused(checkout):
    manifest = checkout / "data" / "manifest.toml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("size", "bytes", 1), encoding="utf-8")
    with pytest.raises(ValueError, match=r"toy/good\.txt.*not complete"):
        remote.files()


def test_pickled_arrays_are_refused(cache, checkout, monkeypatch):
    file = cache / "toy" / "good.txt"
    file.parent.mkdir(parents=True)
    with file.open("wb") as stream:
        np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    manifest = checkout / "data" / "manifest.toml"
    old = remote.files()["toy/good.txt"].sha256
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(old, sha256(file)), encoding="utf-8")
    with pytest.raises(ValueError, match="allow_pickle=False"):
        remote.array("toy/good.txt")
