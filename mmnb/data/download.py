"""One file over HTTP: bounded in time, checked before anybody sees it, and with a reason in words when it does not work."""

import hashlib
import socket
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

CONNECT_SECONDS = 5.0  # for finding and reaching the server, all its addresses together
READ_SECONDS = 15.0  # silence after which a server is given up
ATTEMPTS = 3
PAUSE_SECONDS = 0.5  # before the second attempt; twice that before the third


class DownloadError(OSError):
    """A download that did not work; the message is the reason, to be completed with what was wanted and what to do."""


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(url: str, to: Path, size: int, check: Callable[[Path], None]) -> None:
    """Download `url` to the file `to`, trying again after a broken connection or a busy server.

    Args:    url, http or https; to, a temporary file that the caller renames or removes; size, roughly how many bytes to expect
             (from a megabyte on a terminal shows a bar); check, called with `to`, raises ValueError when the content is wrong.
    Returns: nothing. Raises: DownloadError with the reason: no connection (after at most 5 seconds), refused or missing on the
             server, broken off, wrong content.
    """
    import pooch  # here and not above: listing data sets needs neither of them, and they take a while to load
    import requests

    _reach(url)
    downloader = pooch.HTTPDownloader(
        timeout=(CONNECT_SECONDS, READ_SECONDS), chunk_size=2**16, progressbar=size >= 2**20 and sys.stderr.isatty()
    )
    reason = ""
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE_SECONDS * attempt)
        try:
            downloader(url, str(to), None)
            check(to)
        except requests.HTTPError as error:
            status = error.response.status_code
            reason = f"the server answered {status} {error.response.reason}"
            if status < 500 and status != 429:  # missing or forbidden: asking again changes nothing
                raise DownloadError(reason) from error
        except requests.Timeout as error:
            raise DownloadError(f"the server was silent for {READ_SECONDS:.0f} seconds") from error
        except requests.RequestException as error:
            broken = isinstance(error, requests.exceptions.ChunkedEncodingError)
            reason = f"the connection {'broke off half-way' if broken else 'failed'} ({type(error).__name__})"
        except ValueError as error:
            reason = f"the server sent something else ({error})"
        else:
            return
    raise DownloadError(f"{reason}, {ATTEMPTS} times")


def _reach(url: str) -> None:
    """Raise DownloadError unless the server accepts a connection within `CONNECT_SECONDS`.

    Name look-up has no timeout of its own, and a client tries every address of a server in turn; on a computer without a network
    both can add up to a minute. Behind a proxy nothing is tried, for there the server's name need not resolve.
    """
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    outcome: list[OSError | None] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
        except OSError as error:
            outcome.append(error)
        else:
            outcome.append(None)

    # a daemon, because a name server that never answers must not delay the end of the program
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    if not outcome:
        raise DownloadError(f"no connection to {host} within {CONNECT_SECONDS:.0f} seconds")
    if outcome[0] is not None:
        raise DownloadError(f"no connection to {host}: {outcome[0].strerror or outcome[0]}") from outcome[0]
