"""What all tests share: no network but this computer, a cache folder inside `build/`, and the real remote files where they are."""

import os
import socket
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
LOCAL = {"127.0.0.1", "::1", "localhost", "", None}


@pytest.fixture(scope="session", autouse=True)
def _no_network():
    """A test that reaches for another computer fails with a clear message, on a computer with a network too."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def refuse(host):
        raise OSError(f"a test tried to reach {host!r}; tests use no network but 127.0.0.1")

    def guarded_connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOCAL:
            refuse(address[0])
        return connect(self, address)

    def guarded_look_up(host, *args, **kwargs):
        return look_up(host, *args, **kwargs) if host in LOCAL or host == socket.gethostname() else refuse(host)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def _cache_of_derived_arrays():
    """Decoded pictures are kept in `build/`, not in the user's cache; subprocesses inherit this."""
    with pytest.MonkeyPatch.context() as patch:
        if "MMNB_CACHE" not in os.environ:
            patch.setenv("MMNB_CACHE", str(CHECKOUT / "build" / "test-cache"))
        yield


def _find_remote_files() -> Path | None:
    given = os.environ.get("MMNB_DATA")
    candidates = [Path(given)] if given else []
    for folder in (*candidates, CHECKOUT.parent / "shared" / "remote"):
        if (folder / "emap-lxmert").is_dir():
            return folder.resolve()
    return None


REMOTE_FILES = _find_remote_files()


@pytest.fixture
def remote_files(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with the real remote files, set as `MMNB_DATA`; without it the test is skipped, saying how to provide them."""
    if REMOTE_FILES is None:
        pytest.skip(
            "the remote files are not here: fetch them with `mmnb data --fetch`, or set MMNB_DATA to a folder that holds them"
        )
    monkeypatch.setenv("MMNB_DATA", str(REMOTE_FILES))
    return REMOTE_FILES
