"""Some members of a tar archive as a folder, and one hash for what is in a folder."""

import hashlib
import tarfile
import zlib
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from mmnb.data.download import sha256


def unpack(file: Path, folder: Path, members: str, largest: int) -> None:
    """Write the regular files that match, under their bare names; nothing else, and nothing outside `folder`.

    Args:    file, a tar archive, compressed or not, with one top folder; folder, an existing folder; members, a pattern below the top
             folder such as "recordings/*.wav"; largest, bytes above which a member is left out (a small archive can unpack to terabytes).
    Raises:  ValueError when the archive is damaged or cut short. Links, devices and names with a backslash or colon (paths on Windows) are left out.
    """
    pattern = PurePosixPath(members)
    try:
        with tarfile.open(file) as tar:
            for member in tar:
                inside = PurePosixPath(*PurePosixPath(member.name).parts[1:])
                wanted = inside.parent == pattern.parent and fnmatchcase(inside.name, pattern.name)
                if not wanted or not member.isfile() or member.size > largest or set("\\:") & set(inside.name):
                    continue
                content = tar.extractfile(member)
                if content is not None:
                    (folder / inside.name).write_bytes(content.read())
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"not a whole archive: {error}") from error


def content_sha256(folder: Path, pattern: str = "*") -> str:
    """sha256 of the lines "sha256(file), two spaces, name, line feed" over the matching files of a folder, sorted by name.

    The output of `LC_ALL=C sha256sum *.wav` hashes to the same. Other files in the folder do not count.
    """
    members = sorted(file.name for file in folder.iterdir() if file.is_file() and fnmatchcase(file.name, pattern))
    return hashlib.sha256("".join(f"{sha256(folder / name)}  {name}\n" for name in members).encode()).hexdigest()
