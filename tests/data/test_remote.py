"""Remote files: the download path against a server on this computer, and what happens when anything on the way goes wrong."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mmnb import DataUnavailable, cli
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
    for content, said in ((server.content[::-1], sha256), (server.content[:-1], "11199 bytes"), (b"", "0 bytes")):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="damaged") as failure:
            remote.fetch("toy/good.txt")
        message = str(failure.value)
        assert str(file) in message and remote.files()["toy/good.txt"].sha256 in message
        assert (said if isinstance(said, str) else said(file)) in message
        assert file.read_bytes() == content and server.requests == []


@pytest.mark.skipif(os.name == "nt", reason="makes POSIX links and pipes")
@pytest.mark.parametrize("what", ["link out", "device", "pipe", "folder", "file below", "no room", "lost link"])
def test_what_lies_in_the_place_of_an_entry(cache, tmp_path, what):
    """`mmnb data --fetch` names it, and fetches the other files all the same."""
    for key in ("toy/good.txt", "toy/recordings/0_ann_0.wav"):
        path = cache / key
        path.parent.mkdir(parents=True, exist_ok=True)
        match what:
            case "link out":
                path.symlink_to("/etc/hostname")
            case "device":
                path.symlink_to("/dev/zero")
            case "pipe":
                os.mkfifo(path)
            case "folder":
                path.mkdir()
            case "lost link":
                path.symlink_to(tmp_path / "nothing")
            case "file below":
                path.write_bytes(b"x")
    if what == "no room":
        (cache / "toy" / "recordings").rmdir()
        (cache / "toy" / "recordings").write_text("a file where a folder belongs", encoding="utf-8")
    ran = CliRunner().invoke(cli.main, ["data", "--fetch", "--json"])
    assert ran.exit_code == 1 and ran.exc_info[0] is SystemExit
    (entry,) = json.loads(ran.stdout)
    wrong = [line.split(" is damaged")[0] for line in entry["how"].splitlines() if "is damaged or out of date" in line]
    assert not entry["present"] and "damaged or not fetched: toy" in ran.stderr
    folder, file = str(cache / "toy" / "recordings"), str(cache / "toy" / "good.txt")
    assert wrong == ([folder] if what in ("lost link", "no room") else [file, folder])
    assert (cache / "toy" / "flaky.txt").is_file() and (cache / "toy" / "slow.txt").is_file(), "the others are fetched"


def test_fetch_checks_what_is_here(cache, server, checkout):
    keep = [
        part
        for part in (checkout / "data" / "manifest.toml").read_text(encoding="utf-8").split("[[")
        if "good" in part or "title" in part or "recordings" in part
    ]
    (checkout / "data" / "manifest.toml").write_text("[[".join(keep), encoding="utf-8")
    assert CliRunner().invoke(cli.main, ["data", "--fetch"]).exit_code == 0
    assert CliRunner().invoke(cli.main, ["data", "--fetch"]).exit_code == 0 and len(server.requests) == 2
    for change in (lambda file: file.write_bytes(b""), lambda file: file.write_bytes(b"\1" * 100), lambda file: file.with_name("more.wav").write_bytes(b"x")):  # fmt: skip
        change(cache / "toy" / "recordings" / "0_ann_0.wav")
        ran = CliRunner().invoke(cli.main, ["data", "--fetch"])
        assert ran.exit_code == 1 and "Traceback" not in ran.output and "damaged" in ran.output
    assert len(server.requests) == 2


@pytest.mark.parametrize("key", ["../escaped.txt", "toy/../../escaped.txt", "/escaped.txt", "C:/x", "a//b", "", ".", "toy/.hidden", "a\\\\b", "toy/recordings"])  # fmt: skip
def test_a_key_that_leaves_the_cache_is_refused(cache, checkout, server, key):
    manifest = checkout / "data" / "manifest.toml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("toy/good.txt", key), encoding="utf-8")
    with pytest.raises(ValueError, match=r"manifest\.toml: got .*expected a key of its own"):
        remote.files()
    ran = CliRunner().invoke(cli.main, ["data", "--fetch"])
    assert ran.exit_code == 1 and "Error: manifest.toml" in ran.output and server.requests == []
    assert not list(cache.parent.rglob("escaped*"))


@pytest.mark.parametrize("content", [b"[dataset", b"a = 1\na = 2", b"\xff\xfe", b"a = " + b"[" * 5000, b"file = [1]"])
def test_a_manifest_that_is_none_is_named(checkout, content):
    (checkout / "data" / "manifest.toml").write_bytes(content)
    with pytest.raises(ValueError, match=r"^manifest\.toml: "):
        remote.files()


def test_an_archive_unpacks_no_more_than_its_size(cache, server):
    bomb = {f"{number}.wav": b"0" * 400 for number in range(50)}
    server.archive = server.pack({**bomb, **server.recordings})
    written, extract = [], tarfile.TarFile.extractall

    def watched(tar, path, members, **options):
        written.extend(members)
        return extract(tar, path, members, **options)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(DataUnavailable, match="other contents"):
        patch.setattr(tarfile.TarFile, "extractall", watched)
        remote.fetch("toy/recordings")
    assert sum(member.size for member in written) <= 400


def test_what_a_killed_download_left_is_removed_after_a_day(cache):
    for name, age in ((".good.txt-old", 100_000), (".good.txt-new", 10)):
        (cache / "toy" / name).mkdir(parents=True)
        os.utime(cache / "toy" / name, (time.time() - age,) * 2)
    remote.fetch("toy/good.txt")
    assert left_over(cache) == [".good.txt-new"]


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
        lambda server: server.pack({"../../../escaped.wav": b"out", **server.recordings}),
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
    text, entry = manifest.read_text(encoding="utf-8"), remote.files()["toy/good.txt"]
    text = text.replace(entry.sha256, sha256(file)).replace(f"size = {entry.size}", f"size = {file.stat().st_size}")
    manifest.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="allow_pickle=False"):
        remote.array("toy/good.txt")
