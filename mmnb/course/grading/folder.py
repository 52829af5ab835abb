"""Grade a folder of submissions, several exercises at the same time."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
from tqdm import tqdm

from mmnb.course import exercises, handout
from mmnb.course.grading.judge import MALFORMED, Grade, Limits, grade
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
    progress: bool = False,
) -> tuple[list[Submission], int]:
    """Grade every notebook in `folder`: the submissions by student and file, and the seed.

    Args:
        folder: Has STUDENT.ipynb or STUDENT/anything.ipynb. ValueError when it has neither.
        limits: What each exercise may take.
        jobs: Exercises at the same time; by default one per core.
        seed: Seed of the hidden inputs; by default a fresh one.
        notebook: The notebook that all submissions belong to; by default each file's name, metadata or exercises say it.
        progress: Show a progress bar on terminals.
    """
    files = sorted(file for file in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in file.parts)
    if not files:
        raise ValueError(f"grade: no .ipynb in {folder.name}; expected STUDENT.ipynb or STUDENT/NN_slug.ipynb")
    seed = secrets.randbelow(2**32) if seed is None else seed
    limits = limits or Limits()
    known = {slug: handout.tasks(slug) for slug in selection.available()}
    exercises.registered()  # imported here once, not in every thread
    opened = [_open(file, folder, known, notebook) for file in files]
    work = [(task, cells.get(task.id)) for one, cells in opened for task in known.get(one.notebook, [])]
    pool = ThreadPoolExecutor(jobs or processes.cores())
    try:
        found = pool.map(lambda job: grade(*job, seed, limits), work)
        bar = tqdm(found, "grading", len(work), leave=False, unit="exercise", disable=None if progress else True)
        grades = iter(list(bar))
    finally:
        pool.shutdown(cancel_futures=True)  # on Ctrl-C only what runs already is waited for
    return [replace(one, grades=tuple(next(grades) for _ in known.get(one.notebook, []))) for one, _ in opened], seed


def _open(
    file: Path, folder: Path, known: dict[str, list[handout.Task]], notebook: str | None
) -> tuple[Submission, dict[str, str]]:
    """The submission without its grades, and the submitted cells by exercise."""
    relative = file.relative_to(folder)
    student = relative.parts[0] if len(relative.parts) > 1 else file.stem
    cells, recorded, problem = {}, None, None
    try:
        if file.stat().st_size > SIZE_LIMIT:
            raise ValueError(f"more than {SIZE_LIMIT >> 20} MB")
        content = nbformat.reads(file.read_text(encoding="utf-8"), as_version=4)
        cells = _cells(content)
        recorded = content.get("metadata", {}).get("mmnb", {}).get("notebook")
    except (*MALFORMED, OSError, nbformat.ValidationError) as error:
        problem = f"The file cannot be read as a notebook: {error}"[:300]
    slug = notebook or next((slug for slug in known if slug in file.stem or slug == recorded), None)
    if slug is None:
        fits = [slug for slug, tasks in known.items() if any(task.id in cells for task in tasks)]
        slug = fits[0] if len(fits) == 1 else "?"
    unknown = "No exercise in it: cannot tell which notebook this is." if slug == "?" else None
    return Submission(student, relative.as_posix(), slug, (), problem or unknown), cells


def _cells(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """The submitted code by exercise: found by the cell's tag, its id or its nbgrader mark, whichever is left."""
    found: dict[str, str] = {}
    for cell in notebook.cells:
        if cell.get("cell_type") == "code":
            metadata = cell.get("metadata", {})
            mark = (metadata.get("nbgrader") or {}).get("grade_id", "")
            for name in [*(metadata.get("tags") or []), cell.get("id", ""), mark]:
                if isinstance(name, str) and name.startswith(handout.TAG):
                    found.setdefault(name.removeprefix(handout.TAG), str(cell.source))
    return found
