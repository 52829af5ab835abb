"""Put the process of a submission into Linux namespaces of its own: no network, no other processes, no files but the installed packages, read-only.

`python -m mmnb.course.grading.isolation` tries it and ends with 0 where it works. Where it does not (another system, or one that forbids
user namespaces, as most containers do), submissions run as the user who grades.
"""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

_USER, _MOUNT, _PID, _NET, _IPC = 0x10000000, 0x00020000, 0x20000000, 0x40000000, 0x08000000  # CLONE_NEW…
_BIND, _RECURSIVE, _PRIVATE, _DETACH = 0x1000, 0x4000, 0x40000, 2
_SETATTR, _HERE, _READ_ONLY = 442, -100, 1 | 2  # syscall mount_setattr, the same on every machine; and no set-user-id
_DIE, _NO_NEW = 1, 38  # prctl: end with the parent; no new privileges
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/alternatives")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
PACKAGE = Path(__file__).resolve().parents[2]
_HIDDEN = PACKAGE / "course" / "exercises"  # the reference and the inputs
_MEMORY = b"size=64m,mode=755"


def _call(function: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    plain = [os.fsencode(one) if isinstance(one, str | Path) else one for one in arguments]
    if getattr(libc, function)(*plain) != 0:
        raise OSError(ctypes.get_errno(), f"{function}: {os.strerror(ctypes.get_errno())}")


def end_with_parent() -> None:
    """Let the system kill this process when the one that started it is gone, even by SIGKILL."""
    if sys.platform == "linux":
        _call("prctl", _DIE, signal.SIGKILL, 0, 0, 0)


def enter() -> None:
    """Go on in new namespaces, in a child of this process; this one waits for it and ends. Raises: OSError where that is impossible.

    Called before any thread exists.
    """
    user, group, folder = os.geteuid(), os.getegid(), Path.cwd()
    _call("unshare", _USER | _MOUNT | _PID | _NET | _IPC)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"1000 {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"1000 {group} 1", encoding="ascii")
    child = os.fork()
    if child:
        os.close(0)
        os.close(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os._exit(code if code >= 0 else 128 - code)
    end_with_parent()
    _root(folder)
    _call("prctl", _NO_NEW, 1, 0, 0, 0)
    _call(
        "capset", (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    )  # none of the rights that made the mounts


def _root(folder: Path) -> None:
    """A root in memory, on `folder`, that shows what Python needs."""
    _call("mount", "none", "/", None, _RECURSIVE | _PRIVATE, None)
    _call("mount", "tmpfs", folder, b"tmpfs", 0, _MEMORY)
    libraries = [entry for entry in sys.path if entry and not PACKAGE.is_relative_to(entry)]  # not a whole checkout
    named = {Path(one) for one in (*_SYSTEM, *_DEVICES, sys.prefix, sys.base_prefix, PACKAGE, *libraries)}
    found = named | {path.resolve() for path in named}
    attributes = (ctypes.c_uint64 * 4)(_READ_ONLY, 0, 0, 0)
    shown: list[Path] = []
    for path in sorted(found):  # a folder before what is in it
        if not path.exists() or path == Path("/") or any(path.is_relative_to(one) for one in shown):
            continue
        inside = folder / path.relative_to("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            inside.symlink_to(path.readlink())
            continue
        inside.mkdir() if path.is_dir() else inside.touch()
        _call("mount", path, inside, None, _BIND | _RECURSIVE, None)
        _call("syscall", _SETATTR, _HERE, os.fsencode(inside), 0x8000, attributes, 32)
        shown.append(path)
    _call("mount", "tmpfs", folder / _HIDDEN.relative_to("/"), b"tmpfs", 1, b"size=4k")
    for name in ("proc", "tmp", "dev/shm"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _try_proc(folder / "proc")
    os.chdir(folder)
    _call("pivot_root", b".", b".")
    _call("umount2", b".", _DETACH)
    os.chdir("/tmp")
    os.environ |= dict.fromkeys(("HOME", "TMPDIR"), "/tmp")


def _try_proc(place: Path) -> None:
    try:
        _call("mount", "proc", place, b"proc", 2 | 4 | 8, None)
    except OSError:  # a container that hides parts of its own /proc; Python does without
        return


def available() -> bool:
    """Whether a submission can be isolated here, tried out with the packages it needs."""
    with tempfile.TemporaryDirectory(prefix="mmnb-grade-") as folder:
        command = [sys.executable, "-P", "-m", "mmnb.course.grading.isolation"]
        return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


def main() -> None:
    """Try it."""
    end_with_parent()
    enter()
    import numpy  # noqa: F401

    sys.exit(any(_HIDDEN.iterdir()) or os.access(PACKAGE, os.W_OK))


if __name__ == "__main__":
    main()
