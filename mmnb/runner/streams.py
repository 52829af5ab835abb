"""Standard output and error that outlive their reader: a command goes on, and its exit code keeps its meaning."""

import errno
import io
import os
import select
import sys


class _Output(io.FileIO):
    """A stream that keeps its first failure in `lost` and drops what comes after it, instead of raising in mid-run."""

    lost: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            while not self.lost and (written := super().write(data)) is None:
                select.select([], [self], [])  # a pipe that does not block, and is full
        except OSError as error:
            self.lost = error
        return len(data) if self.lost else written


def prepare() -> None:
    """Open closed standard streams on nothing, and let the others show "?" for what they cannot encode and survive their reader."""
    while (
        descriptor := os.open(os.devnull, os.O_RDWR)
    ) < 3:  # else the next file would get the number of a closed stream
        pass
    os.close(descriptor)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open as long as the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
            raw = getattr(stream.buffer, "raw", stream.buffer)
            if type(raw) is io.FileIO and raw.fileno() == number:
                stream.flush()
                buffer = io.BufferedWriter(_Output(number, "wb", closefd=False))
                kept = {key: getattr(stream, key) for key in ("encoding", "errors", "line_buffering", "write_through")}
                setattr(sys, name, io.TextIOWrapper(buffer, **kept))


def failure() -> str | None:
    """Why standard output did not take what was written, once it is flushed; None if it did, or if its reader has gone."""
    sys.stdout.flush()
    lost = getattr(getattr(getattr(sys.stdout, "buffer", None), "raw", None), "lost", None)
    return None if lost is None or lost.errno in (errno.EPIPE, errno.EINVAL) else lost.strerror
