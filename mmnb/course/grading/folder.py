"""A folder of submissions: who handed in what, graded side by side."""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat

from mmnb.course import exercises, handout
from mmnb.course.grading.exercise import Grade, grade
from mmnb.course.grading.process import Limits
from mmnb.runner import processes, selection

SIZE_LIMIT = 20 * 2**20  # bytes of a submitted notebook


@dataclass(frozen=True)
class Submission:
    """One notebook of one student: its grades, or the `problem` that kept it from being read."""

    student: str
    file: str
    notebook: str
    grades: tuple[Grade, ...]
    problem: str | None = None

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
    after: Callable[[int, int], None] | None = None,
) -> tuple[list[Submission], int]:
    """Grade every notebook in `folder`.

    Args:    folder, with STUDENT.ipynb or STUDENT/anything.ipynb; limits per exercise; jobs, exercises at the same time (default: cores);
             seed of the hidden inputs (default: a fresh one); notebook, the slug that all submissions belong to (default: found from the
             file's name, its metadata or its exercises); after, called with the number of exercises done and of all.
    Returns: the submissions by student and file, and the seed.
    Raises:  ValueError when there is nothing to grade.
    """
    files = sorted(file for file in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in file.parts)
    if not files:
        raise ValueError(f"grade: no .ipynb in {folder.name}; expected STUDENT.ipynb or STUDENT/NN_slug.ipynb")
    seed = secrets.randbelow(2**32) if seed is None else seed
    known = {slug: handout.tasks(slug) for slug in selection.available()}
    entries = exercises.registered()
    opened = [_open(file, folder, known, notebook) for file in files]
    jobs_of = [(task, cells.get(task.id)) for _, tasks, cells in opened for task in tasks]
    done, lock = 0, threading.Lock()

    def one(job: tuple[handout.Task, str | None]) -> Grade:
        nonlocal done
        task, source = job
        found = grade(task, entries[task.id], source, seed, limits or Limits())
        with lock:
            done += 1
            if after is not None:
                after(done, len(jobs_of))
        return found

    pool = ThreadPoolExecutor(jobs or processes.cores())
    try:
        grades = list(pool.map(one, jobs_of))
    finally:
        pool.shutdown(cancel_futures=True)  # on Ctrl-C only what runs already is waited for
    graded = []
    for (student, file, slug, problem), tasks, _ in opened:
        mine, grades = grades[: len(tasks)], grades[len(tasks) :]
        graded.append(Submission(student, file, slug, tuple(mine), problem))
    return graded, seed


def _open(
    file: Path, folder: Path, known: dict[str, list[handout.Task]], notebook: str | None
) -> tuple[tuple[str, str, str, str | None], list[handout.Task], dict[str, str]]:
    """(student, file, slug, problem), the exercises of the notebook, and the submitted cells by exercise."""
    relative = file.relative_to(folder)
    student = relative.parts[0] if len(relative.parts) > 1 else file.stem
    cells, slug, problem = {}, None, None
    try:
        if file.stat().st_size > SIZE_LIMIT:
            raise ValueError(f"more than {SIZE_LIMIT >> 20} MB")
        found = nbformat.reads(file.read_text(encoding="utf-8"), as_version=4)
        cells = _cells(found)
        slug = found.get("metadata", {}).get("mmnb", {}).get("notebook")
    except (
        ValueError,
        AttributeError,
        KeyError,
        TypeError,
        OSError,
        RecursionError,
        nbformat.ValidationError,
    ) as error:
        problem = f"The file cannot be read as a notebook: {error}"[:300]
    slug = notebook or _slug(file.stem, slug, cells, known)
    if slug is None:
        return (
            (student, relative.as_posix(), "?", problem or "No exercise in it: cannot tell which notebook this is."),
            [],
            {},
        )
    return (student, relative.as_posix(), slug, problem), known[slug], cells


def _slug(stem: str, told: object, cells: dict[str, str], known: dict[str, list[handout.Task]]) -> str | None:
    for slug in known:
        if slug in stem:
            return slug
    if told in known:
        return str(told)
    fits = [slug for slug, tasks in known.items() if any(task.id in cells for task in tasks)]
    return fits[0] if len(fits) == 1 else None


def _cells(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """The submitted code by exercise: found by the cell's tag, its id or its nbgrader mark, whichever is left."""
    found: dict[str, str] = {}
    for cell in notebook.cells:
        if cell.get("cell_type") != "code":
            continue
        mark = (cell.get("metadata", {}).get("nbgrader") or {}).get("grade_id", "")
        names = [*(cell.get("metadata", {}).get("tags") or []), cell.get("id", ""), mark]
        for name in names:
            if isinstance(name, str) and name.startswith("exercise-"):
                found.setdefault(name.removeprefix("exercise-"), str(cell.source))
    return found
