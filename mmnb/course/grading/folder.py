"""Grade a folder of submissions, several exercises at the same time."""

import json
import os
import re
import secrets
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from tqdm import tqdm

from mmnb.course import exercises, handout
from mmnb.course.grading import isolation
from mmnb.course.grading.cells import ANSWER, ELSEWHERE, NEIGHBOUR
from mmnb.course.grading.judge import Answer, Grade, Limits, grade, readable
from mmnb.runner import processes, selection

SIZE_LIMIT = 20 * 2**20  # bytes of a submitted notebook
_CHECK = "check-"


@dataclass(frozen=True)
class Submission:
    """One notebook of one student: its grades, or the `problem` that kept it from being read. `counts`: in the student's total."""

    student: str
    file: str
    notebook: str
    grades: tuple[Grade, ...]
    problem: str | None = None
    counts: bool = True

    @property
    def points(self) -> int:
        """Points reached."""
        return sum(one.points for one in self.grades)

    @property
    def of(self) -> int:
        """Points there are."""
        return sum(one.of for one in self.grades)


def grade_folder(
    folder: Path,
    *,
    limits: Limits | None = None,
    jobs: int | None = None,
    seed: int | None = None,
    notebook: str | None = None,
    out: Path | None = None,
    isolated: bool | None = None,
    progress: bool = False,
) -> tuple[list[Submission], int, bool]:
    """Grade every notebook in `folder`: the submissions by student and file, the seed, and whether they ran isolated.

    Args:
        folder: Has STUDENT.ipynb or STUDENT/anything.ipynb. Every other name in it gets a row that says what is wrong with it,
            except hidden ones and __MACOSX. ValueError when there is no name.
        limits: What each exercise may take.
        jobs: Exercises at the same time; by default one per core.
        seed: Seed of the hidden inputs; by default a fresh one.
        notebook: The notebook that all submissions belong to; by default each file's name, metadata or exercises say it.
        out: Where the report will be; nobody's submission.
        isolated: Whether each exercise runs in namespaces of its own; by default where the system allows it.
        progress: Show a progress bar on terminals.
    """
    found = list(_files(folder, out))
    if not found:
        raise ValueError(
            f"grade: no .ipynb in {readable(folder.name)}; expected STUDENT.ipynb or STUDENT/NN_slug.ipynb"
        )
    seed = secrets.randbelow(2**32) if seed is None else seed
    limits = limits or Limits()
    known = {slug: handout.tasks(slug) for slug in selection.available()}
    exercises.registered()  # imported here once, not in every thread
    isolated = isolation.available() if isolated is None else isolated
    opened = [_open(file, folder, known, notebook, problem) for file, problem in found]
    work = [(task, answers.get(task.id)) for one, answers in opened for task in known.get(one.notebook, [])]
    pool, stop = ThreadPoolExecutor(jobs or processes.cores()), threading.Event()
    try:
        results = pool.map(lambda job: grade(*job, seed, limits, isolated=isolated, stop=stop), work)
        bar = tqdm(results, "grading", len(work), leave=False, unit="exercise", disable=None if progress else True)
        grades = iter(list(bar))
    finally:
        stop.set()  # on Ctrl-C: what runs already is ended, not waited for
        pool.shutdown(cancel_futures=True)
    graded = [replace(one, grades=tuple(next(grades) for _ in known.get(one.notebook, []))) for one, _ in opened]
    return _best(graded), seed, isolated


def _files(folder: Path, out: Path | None) -> Iterator[tuple[Path, str | None]]:
    """What is handed in: a notebook, or something else and what is wrong with it. Links are never followed."""
    for entry in sorted(folder.iterdir()):
        if _system(entry.name) or (out and folder.resolve() / entry.name == out.resolve()):
            continue
        if not stat.S_ISDIR(entry.lstat().st_mode):
            yield entry, _problem(entry)
            continue
        inside: list[Path] = []
        refused: list[OSError] = []
        for place, folders, names in os.walk(entry, onerror=refused.append):
            folders[:] = sorted(name for name in folders if not _system(name))
            links = [name for name in folders if Path(place, name).is_symlink()]
            inside += [Path(place, name) for name in sorted([*names, *links]) if not _system(name)]
        notebooks = [file for file in inside if file.suffix.lower() == ".ipynb"]
        yield from ((file, _problem(file)) for file in notebooks)
        if not notebooks:
            names = ", ".join(file.name for file in inside[:5]) or "nothing"
            yield entry, f"No notebook in this folder: {refused[0].strerror if refused else f'only {names}'}."


def _system(name: str) -> bool:
    """Whether an operating system or Jupyter put it there, not a student."""
    return name.startswith(".") or name == "__MACOSX"


def _problem(file: Path) -> str | None:
    """What keeps a file from being read as a notebook, before it is opened."""
    mode = file.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "It is a link, which is not followed: hand in the file itself."
    if not stat.S_ISREG(mode):
        return "It is no regular file."
    if file.suffix.lower() != ".ipynb":
        return f"It is a {file.suffix or 'file without suffix'}; expected a notebook (.ipynb). Unpack archives before grading."
    return None


def _open(
    file: Path, folder: Path, known: dict[str, list[handout.Task]], notebook: str | None, problem: str | None
) -> tuple[Submission, dict[str, Answer]]:
    """The submission without its grades, and what it hands in by exercise. It raises nothing that a file could cause."""
    relative = file.relative_to(folder)
    student = relative.parts[0] if len(relative.parts) > 1 or file.suffix.lower() != ".ipynb" else file.stem
    cells: list[dict[str, Any]] = []
    recorded = None
    if problem is None:
        try:
            content = _read(file)
            cells = [cell for cell in content["cells"] if isinstance(cell, dict)]
            recorded = _get(content, "metadata", "mmnb", "notebook")
        except Exception as error:  # noqa: BLE001  whatever one file contains must not cost the others their grades
            problem = f"The file cannot be read as a notebook: {error}"[:300]
    marked = {name for cell in cells for name in _marks(cell, handout.TAG)}
    slug = notebook or next((slug for slug in known if slug in file.stem or slug == recorded), None)
    if slug is None:
        fits = [slug for slug, tasks in known.items() if any(task.id in marked for task in tasks)]
        slug = fits[0] if len(fits) == 1 else "?"
    unknown = "No exercise in it: cannot tell which notebook this is." if slug == "?" else None
    answers = {task.id: answer for task in known.get(slug, []) if (answer := _answer(cells, task))}
    problem = problem or unknown
    shown = readable(relative.as_posix())
    return Submission(readable(student), shown, slug, (), readable(problem) if problem else None), answers


def _read(file: Path) -> dict[str, Any]:
    """The notebook in a file, in the newest format. Raises: ValueError and whatever nbformat raises."""
    with file.open("rb") as stream:
        raw = stream.read(SIZE_LIMIT + 1)
    if len(raw) > SIZE_LIMIT:
        raise ValueError(f"more than {SIZE_LIMIT >> 20} MB")
    return nbformat.reads(raw.decode(json.detect_encoding(raw)).removeprefix("\ufeff"), as_version=4)


def _get(found: Any, *keys: str) -> Any:
    """A nested value, None where there is none or something else than a dictionary is on the way."""
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _marks(cell: dict[str, Any], prefix: str) -> list[str]:
    """The exercises that a code cell is marked with, by its tags, its id or its nbgrader mark, whichever is left."""
    tags = _get(cell, "metadata", "tags")
    names = [*(tags if isinstance(tags, list) else []), cell.get("id"), _get(cell, "metadata", "nbgrader", "grade_id")]
    code = cell.get("cell_type") == "code"
    return [name.removeprefix(prefix) for name in names if code and isinstance(name, str) and name.startswith(prefix)]


def _answer(cells: list[dict[str, Any]], task: handout.Task) -> Answer | None:
    """The cells of one exercise: from its heading, or first marked cell, to its check; of others only their imports."""
    roles, inside = [], False
    for cell in cells:
        source, marked = _source(cell), task.id in _marks(cell, handout.TAG)
        if cell.get("cell_type") == "markdown" and re.search(r"^#{1,6} ", source, re.MULTILINE):
            inside = re.search(rf"^#+ {task.id}\b", source, re.MULTILINE) is not None
        if cell.get("cell_type") == "code":
            inside = inside or marked
            roles.append([ANSWER if marked else NEIGHBOUR if inside else ELSEWHERE, source])
            inside = inside and task.id not in _marks(cell, _CHECK)
    defines = re.compile(rf"^\s*(async\s+)?def\s+{task.function}\b", re.MULTILINE)
    if not any(role == ANSWER for role, _ in roles):  # the marked cell was deleted, and another one written
        for cell in roles:
            cell[0] = ANSWER if cell[0] == NEIGHBOUR and defines.search(cell[1]) else cell[0]
    copies = [cell for cell in roles if cell[0] == ANSWER]
    attempted = [cell for cell in copies if "mmnb.NotAttempted(" not in cell[1] and cell[1].strip()]
    elsewhere = any(cell[0] == NEIGHBOUR and defines.search(cell[1]) for cell in roles)
    for cell in copies:
        if cell not in attempted and (attempted or elsewhere):
            cell[0] = ELSEWHERE  # an untouched stub beside an answer
    which = "the attempted one counts" if len(attempted) == 1 else "what the last one defines counts"
    note = f"(There are {len(copies)} cells of this exercise; {which}.)" if len(copies) > 1 else ""
    return Answer(tuple(map(tuple, roles)), note) if copies else None


def _best(submissions: list[Submission]) -> list[Submission]:
    """Of several files of a student for one notebook, the one with most points counts, and each says so."""
    rivals: dict[tuple[str, str], list[Submission]] = {}
    for one in submissions:
        rivals.setdefault((one.student, one.notebook), []).append(one)
    judged = []
    for one in submissions:
        same = rivals[one.student, one.notebook]
        if len(same) > 1:
            best = max(same, key=lambda other: other.points)
            word = f"One of {len(same)} files of this student for the same notebook; {best.file} counts."
            one = replace(one, problem=" ".join(filter(None, (one.problem, word))), counts=one is best)
        judged.append(one)
    return judged
