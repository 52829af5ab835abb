"""A small web server on this computer, and a checkout whose manifest points at it."""

import hashlib
import io
import tarfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

CONTENT = b"orig/add/image/text/mean: 70.00/40.00/20.00/30.00/20.00\n" * 200
RECORDINGS = {f"{digit}_ann_0.wav": bytes([digit]) * 100 for digit in range(4)}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def recordings_archive(members: dict[str, bytes], link: str | None = None) -> bytes:
    """A tar.gz as the hosting site makes it: one top folder, more in it than is wanted."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in {
            **{f"recordings/{name}": content for name, content in members.items()},
            "README.md": b"hello",
        }.items():
            info = tarfile.TarInfo(f"repository-0123/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo("repository-0123/recordings/link.wav")
            info.type, info.linkname = tarfile.SYMTYPE, link
            tar.addfile(info)
    return buffer.getvalue()


RECORDINGS_SHA256 = sha256(
    "".join(f"{sha256(content)}  {name}\n" for name, content in sorted(RECORDINGS.items())).encode()
)


@dataclass
class Server:
    """Answers by path: /good, /truncated, /wrong, /missing, /flaky, /slow, /silent, /archive; `requests` lists what was asked for."""

    url: str
    content: ClassVar[bytes] = CONTENT
    recordings: ClassVar[dict[str, bytes]] = RECORDINGS
    pack: ClassVar = staticmethod(recordings_archive)
    requests: list[str] = field(default_factory=list)
    archive: bytes = b""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    state = Server(url="")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.requests.append(self.path)
            route, body, announced = self.path.strip("/"), CONTENT, len(CONTENT)
            if route == "missing" or (route == "flaky" and len(state.requests) == 1):
                return self.send_error(404 if route == "missing" else 503)
            if route == "truncated":
                body = CONTENT[:1000]
            elif route == "wrong":
                body = b"<html>Please log in to the hotel's network</html>"
                announced = len(body)
            elif route == "archive":
                body, announced = state.archive, len(state.archive)
            elif route == "slow":
                time.sleep(0.3)
            elif route == "silent":
                time.sleep(3)
            self.send_response(200)
            self.send_header("Content-Length", str(announced))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        running.block_on_close = False
        running.handle_error = lambda *args: None  # a client that hangs up is part of the test
        state.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield state
        running.shutdown()
        thread.join(5)


@pytest.fixture
def checkout(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one entry per route of the server; the cache folder is `tmp_path / "cache"` and does not exist yet."""
    lines = ['[dataset.toy]\ntitle = "Toy results"\nlicence = "MIT"\npage = "https://example.org"\n']
    for route in ("good", "truncated", "wrong", "missing", "flaky", "slow", "silent"):
        lines.append(
            f'[[file]]\nkey = "toy/{route}.txt"\ndataset = "toy"\nurl = "{server.url}/{route}"\n'
            f'sha256 = "{sha256(CONTENT)}"\nsize = {len(CONTENT)}\n'
        )
    lines.append(
        f'[[archive]]\nkey = "toy/recordings"\ndataset = "toy"\nurl = "{server.url}/archive"\nmembers = "recordings/*.wav"\n'
        f'sha256 = "{RECORDINGS_SHA256}"\nsize = {sum(map(len, RECORDINGS.values()))}\n'
    )
    root = tmp_path / "checkout"
    (root / "data" / "claims").mkdir(parents=True)
    (root / "data" / "manifest.toml").write_text("\n".join(lines), encoding="utf-8", newline="\n")
    monkeypatch.setenv("MMNB_ROOT", str(root))
    monkeypatch.setenv("MMNB_DATA", str(tmp_path / "cache"))
    server.archive = recordings_archive(RECORDINGS)
    return root
