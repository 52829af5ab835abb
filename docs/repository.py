"""Where this source lies on the web, if it does: what the links to the repository, to Colab and to Binder are made of.

Nothing here is typed in: the address comes from the environment variable MMNB_REPOSITORY, else from GitHub's own variables in its
workflows, else from the remote `origin` of the checkout. An empty MMNB_REPOSITORY, or no remote on the web, means no links.
"""

import ipaddress
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

PLACEHOLDER = "ADDRESS-OF-THIS-REPOSITORY"  # in commands, where none is known
_REMOTE = re.compile(  # https://me@host:1/owner/name.git, or me@host:owner/name.git
    r"(?:(?:https?|ssh|git)://(?:[^@/\s]+@)?(?P<host>[\w.-]+)(?::\d+)?/|(?:[^@/:\s]+@)?(?P<short>[\w.-]+):)(?P<path>[\w.~/-]+?)(?:\.git)?/?"
)


@dataclass(frozen=True)
class Repository:
    """A repository on the web: `address` such as https://example.org/owner/name, and the branch that links lead to."""

    address: str
    branch: str

    @property
    def github(self) -> str | None:
        """owner/name on GitHub, which Colab and Binder open directly; None elsewhere."""
        return self.address.partition("https://github.com/")[2] or None

    def file(self, path: str) -> str:
        """The page that shows one file."""
        return f"{self.address}/blob/{self.branch}/{path}"

    def launchers(self, path: str) -> dict[str, str]:
        """Name -> address that opens the notebook `path` on a computer that somebody else pays for; empty but on GitHub."""
        if not self.github:
            return {}
        return {
            "Colab": f"https://colab.research.google.com/github/{self.github}/blob/{self.branch}/{path}",
            "Binder": f"https://mybinder.org/v2/gh/{self.github}/{self.branch}?labpath={path.replace('/', '%2F')}",
        }


def find(root: Path) -> Repository | None:
    """The repository of the checkout `root`.

    Raises:
        ValueError: MMNB_REPOSITORY is neither empty nor an address on the web.
    """
    given = os.environ.get("MMNB_REPOSITORY")
    branch = os.environ.get("MMNB_BRANCH")
    if given is not None:
        if given.strip() and not address(given):
            raise ValueError(
                f"MMNB_REPOSITORY: got {given!r}; expected an address such as https://example.org/owner/name"
            )
        found = address(given)
    elif name := os.environ.get("GITHUB_REPOSITORY"):
        found = address(f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}")
        branch = branch or os.environ.get("GITHUB_REF_NAME")
    else:
        found = address(_git(root, "remote", "get-url", "origin"))
    branch = branch or _git(root, "rev-parse", "--abbrev-ref", "origin/HEAD").partition("/")[2] or "main"
    return Repository(found, branch) if found else None


def address(remote: str) -> str | None:
    """A git remote as a page on the web, without names and passwords in it; None for folders and for computers without a public name.

    Example:
        >>> address("git@example.org:owner/name.git"), address("https://me:secret@example.org/owner/name")
        ('https://example.org/owner/name', 'https://example.org/owner/name')
        >>> address("/srv/git/name.git"), address("https://localhost/owner/name"), address("ssh://10.0.0.1/owner/name")
        (None, None, None)
    """
    found = _REMOTE.fullmatch(remote.strip())
    host, path = (found["host"] or found["short"], found["path"].strip("/")) if found else ("", "")
    return f"https://{host.lower()}/{path}" if "/" in path and _public(host) else None


def _public(host: str) -> bool:
    """Whether a host has a name that everybody can look up: with a dot, no number, no local ending."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." in host.strip(".") and not host.endswith((".local", ".internal", ".localhost", ".lan"))
    return False


def _git(root: Path, *arguments: str) -> str:
    """What git says, or nothing where it is missing, refuses, or knows none."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
