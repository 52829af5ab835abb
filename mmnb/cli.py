"""The command line. Modules that take long to import are imported inside the commands, so that help appears at once."""

import dataclasses
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from mmnb import paths
from mmnb.jobs import command, diagnose
from mmnb.runner import streams

_EXAMPLES = """
\b
Examples:
  mmnb list                          which questions there are, and how long each takes
  mmnb run 01 --profile smoke        one notebook at tiny size, half a minute
  mmnb run                           every notebook at profile laptop, then the table of verdicts
  mmnb run --jobs 2 --resume         two at a time; skip what succeeded and has not changed since
  mmnb run 01 --json > run.json      for machines; progress goes to standard error
  mmnb data --fetch                  fetch the small remote files (each is checked by its SHA-256)
  mmnb build 01                      run at laptop, then refresh notebooks/*.ipynb, figures/, data/results/
  mmnb status                        which committed notebooks are stale, and why
  mmnb diff data/results build/runs/laptop      which verdicts and numbers moved, as Markdown
  mmnb stability 01 --machines       what moves on a computer with another CPU
  mmnb student 01                    the notebook without its solutions, for a course
  mmnb grade submissions             points and feedback for a folder of submissions
  mmnb diagnose --help               report on a model of your own: does it use its modalities together?
  mmnb emap --help                   measure a model of your own, on a cluster too
\b
Notebooks are named by number (1, 01), by slug (01_emap) or by the beginning of one (ema).
\b
Exit codes: 0 all verdicts as committed; 1 a notebook failed (status: one is stale; data: one is damaged or missing);
2 wrong usage, or a folder, file or output that cannot be written or read, or is in use; 3 a verdict changed; 130 interrupted.
A reader that goes away, as in `mmnb run | head -1`, changes none of them.
\b
Environment: MMNB_DATA (folder of the remote files), MMNB_CACHE (folder of derived data), MMNB_ROOT (the checkout),
MMNB_CPU_BUDGET (CPU seconds a notebook may take, if this computer is slow), NO_COLOR.
"""


class _Commands(click.Group):
    """All but `mmnb emap` and `mmnb diagnose` need packages of the extras, and say so when one is missing."""

    def main(self, *args: object, **options: object) -> object:
        streams.prepare()
        try:
            return super().main(*args, **options)
        finally:
            if reason := streams.failure():
                click.echo(f"Error: cannot write to the standard output: {reason}", err=True)
                sys.exit(2)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (ModuleNotFoundError, OSError) as error:
            if ctx.invoked_subcommand in ("emap", "diagnose"):  # of the user's own model
                raise
            if isinstance(error, ModuleNotFoundError):
                raise click.UsageError(f"{error.name} is not installed: pip install 'mmnb[notebooks]'") from error
            failure = click.ClickException(f"{error.filename}: {error.strerror}" if error.filename else str(error))
            failure.exit_code = click.UsageError.exit_code
            raise failure from error


class _Folder(click.Path):
    """A folder of this computer: `--out s3://bucket` would make a folder `s3:` here, and an empty text means nothing."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        try:
            paths.local(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return super().convert(value, param, ctx)


_NOTEBOOKS = click.argument("notebooks", nargs=-1, metavar="[NOTEBOOK]...")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output instead of tables.")
_SEED, _COUNT, _SECONDS = click.IntRange(min=0), click.IntRange(min=1), click.FloatRange(min=0, min_open=True)
_PROFILES = click.Choice(["smoke", "laptop", "paper"])
_FOLDER = _Folder(path_type=Path, file_okay=False)
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120, "show_default": True}


@click.group(cls=_Commands, epilog=_EXAMPLES, context_settings=_SETTINGS)
@click.version_option(package_name="mmnb", prog_name="mmnb")
def main() -> None:
    """Does a multimodal model really use its modalities together? Run the notebooks that measure it.

    Each notebook re-runs one line of research and prints, next to each claim of each paper: the paper's number, our number,
    and a verdict. `mmnb run` executes them; everything a run writes goes to build/, never beside the sources.
    """


main.add_command(command.emap)
main.add_command(diagnose.diagnose)


_RUNNING = (
    _NOTEBOOKS,
    click.option("--jobs", "-j", type=_COUNT, default=1, help="Notebooks side by side; each gets cores/JOBS threads."),
    click.option(
        "--resume", is_flag=True, help="Skip what succeeded with the same source, package, data, profile and seed."
    ),
    click.option("--out", type=_FOLDER, help="Folder for the runs.  [default: build/runs/PROFILE]"),
    click.option("--timeout", type=_SECONDS, metavar="SECONDS", help="Limit on the wall time of each notebook."),
)


def _common(command: Callable) -> Callable:
    """Arguments that `run` and `build` share."""
    for decorator in _RUNNING:
        command = decorator(command)
    return command


@main.command()
@_common
@click.option(
    "--profile",
    "-p",
    type=_PROFILES,
    default="laptop",
    help="smoke: seconds, tiny sizes. laptop: minutes. paper: the published setting.",
)
@click.option(
    "--seed", type=_SEED, default=0, help="Seed of every random choice; verdicts are compared for seed 0 only."
)
@_JSON
def run(notebooks: Sequence[str], as_json: bool, **options: object) -> None:
    """Execute notebooks, judge their claims, show the verdicts.

    Without NOTEBOOK, all of them. A failing notebook does not stop the others. The executed notebooks, figures and records are
    in one folder for each notebook; their paths are shown at the end. Ctrl-C stops everything; --resume goes on from there.
    """
    plan, collected = _execute(notebooks, **options)
    from mmnb.runner import summary

    code = summary.exit_code(collected)
    if as_json:
        document = {"schema": 1, "profile": plan.profile, "seed": plan.seed, "exit_code": code, "notebooks": collected}
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        summary.show(collected, summary.console())
    sys.exit(code)


@main.command(short_help="Run at laptop, then refresh the committed products.")
@_common
def build(notebooks: Sequence[str], **options: object) -> None:
    """Run at profile laptop with seed 0 and refresh the committed products.

    These are notebooks/*.ipynb, figures/, data/results/, the tables of the README, docs/verdicts.md. A notebook whose run failed keeps its old
    products; a build that was killed while it wrote them is finished by the next. Changed verdicts are shown and written: building is how they are accepted; look at them with git diff.
    """
    from mmnb.lab import report
    from mmnb.runner import publish, summary

    with publish.alone():
        for slug in publish.finish():
            click.echo(f"{slug}: finished the build that was interrupted")
    plan, collected = _execute(notebooks, profile="laptop", seed=0, **options)
    summary.show(collected, summary.console())
    with publish.alone():
        failures = _publish(plan, collected)
        try:
            report.update(paths.root())
        except (ValueError, OSError) as error:
            failures.append(error)
    for failure in failures:
        click.echo(f"Error: {failure}", err=True)
    sys.exit(summary.FAILED if failures else summary.OK)


def _publish(plan: object, collected: Sequence[dict]) -> list[object]:
    """Refresh the products of the notebooks that succeeded, and return what went wrong."""
    from mmnb.runner import publish

    failures = []
    for result in collected:
        slug = result["notebook"]
        if result["status"] != "ok":
            failures.append(f"{slug}: not published, because its run failed")
            continue
        try:
            written = publish.publish(slug, plan.out / slug)
            click.echo(f"{slug}: wrote " + ", ".join(file.relative_to(paths.root()).as_posix() for file in written))
        except ValueError as error:
            failures.append(error)
        except OSError as error:
            failures.append(f"{slug}: {error.strerror or error}: {error.filename}")
    return failures


def _execute(names: Sequence[str], **options: object) -> tuple:
    """Run the plan with progress on standard error; usage errors and Ctrl-C end the command here."""
    from mmnb.runner import pool, selection, summary

    slugs = selection.select(names)
    out = options.pop("out") or paths.root() / "build" / "runs" / options["profile"]
    plan = pool.Plan(slugs=tuple(slugs), out=out.expanduser().resolve(), **options)
    try:
        with summary.RunProgress(len(slugs), summary.console(stderr=True)) as listener:
            results = pool.run(plan, listener)
    except KeyboardInterrupt:
        click.echo("\nInterrupted: every worker and kernel was stopped; --resume goes on from here.", err=True)
        sys.exit(summary.INTERRUPTED)
    return plan, summary.collect(plan, results)


@main.command(short_help="Say which committed notebooks are stale, and why.")
@_NOTEBOOKS
def status(notebooks: Sequence[str]) -> None:
    """Say which committed notebooks are fresh, stale or missing, and which file is the reason.

    Fresh means: source, used modules of the package, data, figures and results are those of the build. Exit code 0 if all are
    fresh, else 1.
    """
    from mmnb.runner import fingerprint, selection

    states = [fingerprint.status(slug) for slug in selection.select(notebooks)]
    for state in states:
        click.echo(f"{state.slug}: {state.state}" + "".join(f"\n    {reason}" for reason in state.reasons))
    sys.exit(0 if all(state.state == "fresh" for state in states) else 1)


@main.command("list", short_help="List the notebooks: question, answer, time, claims.")
@_NOTEBOOKS
@_JSON
def list_notebooks(notebooks: Sequence[str], as_json: bool) -> None:
    """List the notebooks: question, answer, time at laptop, number of claims."""
    from mmnb.runner import listing, selection

    try:
        rows = [listing.notebook(slug) for slug in selection.select(notebooks)]
    except ValueError as error:  # a claims file that cannot be read
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(rows, indent=1, ensure_ascii=False) if as_json else "\n\n".join(map(listing.paragraph, rows)))


@main.command(short_help="List the data sets; --fetch gets the remote ones.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--fetch", is_flag=True, help="Fetch what is remote and not here yet; check what is here.")
@_JSON
def data(names: Sequence[str], fetch: bool, as_json: bool) -> None:
    """List the data sets: what, how big, which licence, whether it is here.

    --fetch gets the remote ones, and checks the SHA-256 of those that are here. What is damaged is neither used nor removed: it is
    named, the others are fetched, and the exit code is 1. Without --fetch nothing is read: "here" only means that the files exist.
    """
    from mmnb.data import remote
    from mmnb.errors import DataUnavailable
    from mmnb.runner import listing

    try:
        datasets, failures = listing.datasets(names), {}
        for dataset in (one for one in datasets if fetch and one.kind == "remote"):  # the others cannot be fetched
            try:
                remote.fetch_dataset(dataset.name)
            except (DataUnavailable, ValueError, OSError) as error:  # a damaged file is a ValueError
                failures[dataset.name] = str(error)
        datasets = [
            dataclasses.replace(one, present=False, how=failures[one.name]) if one.name in failures else one
            for one in listing.datasets(names)
        ]
    except ValueError as error:  # of the manifest
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(listing.as_json(datasets), indent=1) if as_json else listing.dataset_table(datasets))
    if failures:
        click.echo(
            f"Error: damaged or not fetched: {', '.join(failures)}" + (" (see `how`)" if as_json else ""), err=True
        )
    sys.exit(1 if failures else 0)


@main.command(short_help="Say which verdicts and numbers moved between two runs.")
@click.argument("old", type=click.Path(exists=True, path_type=Path))
@click.argument("new", type=click.Path(exists=True, path_type=Path))
def diff(old: Path, new: Path) -> None:
    """Say as Markdown which verdicts and numbers moved from OLD to NEW.

    Each is data/results, one file of it, or the folder of a run. Exit code 3 if a verdict moved, else 0.
    """
    from mmnb.runner import diff, summary

    text, verdicts = diff.markdown(diff.load(old), diff.load(new))
    click.echo(text)
    sys.exit(summary.CHANGED if verdicts else summary.OK)


@main.command(short_help="Run under other conditions; say what moved.")
@_common
@click.option("--profile", "-p", type=_PROFILES, default="laptop", help="As in `mmnb run`.")
@click.option("--machines", is_flag=True, help="Under the instruction sets and threads of other computers.")
def stability(notebooks: Sequence[str], profile: str, out: Path | None, machines: bool, **options: object) -> None:
    """Run notebooks under other conditions, and say what moved.

    With --machines, each kernel starts with the environment variables that make torch, oneDNN, MKL and OpenBLAS compute as on another CPU: AVX2
    only, no AVX at all, one thread. As Markdown: which verdicts and numbers differ from those of this computer as it is. Exit code 3
    if a verdict does. It takes four times as long as `mmnb run`; after Ctrl-C, --resume goes on.
    """
    from mmnb.runner import stability, summary

    if not machines:
        raise click.UsageError("expected --machines")
    folder = out or paths.root() / "build" / "stability" / profile
    folders, failed = {}, False
    for machine in stability.MACHINES:
        with stability.environment(machine):
            plan, collected = _execute(notebooks, profile=profile, seed=0, out=folder / machine, **options)
        failed |= any(result["status"] != "ok" for result in collected)
        folders[machine] = plan.out
    try:
        text, verdicts = stability.markdown(folders)
    except click.UsageError as error:  # a folder without results, which is not the user's fault if its notebooks failed
        if not failed:
            raise
        text, verdicts = f"Nothing to compare: {error.message}.", 0
    click.echo(text)
    sys.exit(summary.FAILED if failed else summary.CHANGED if verdicts else summary.OK)


@main.command(short_help="Write the notebooks without their solutions.")
@_NOTEBOOKS
@click.option("--out", type=_FOLDER, help="Folder.  [default: build/student]")
@click.option("--exercises", is_flag=True, help="Only the exercises with their prompts; for nbgrader.")
def student(notebooks: Sequence[str], out: Path | None, exercises: bool) -> None:
    """Write the notebooks as a course hands them out: stubs instead of solutions, hints folded, no outputs.

    Every exercise ends with its check; nbgrader finds its marks on both cells. What students hand in is graded by `mmnb grade`.
    """
    from mmnb.course import handout
    from mmnb.runner import selection

    slugs = selection.select(notebooks)
    target = _writable(out or paths.root() / "build" / "student")
    for slug in slugs:
        click.echo(handout.write_student(slug, target, exercises=exercises))


@main.command(short_help="Grade a folder of submissions.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=_FOLDER, help="Folder for the report.  [default: FOLDER/grades]")
@click.option("--notebook", help="The notebook that all submissions belong to.  [default: seen from each file]")
@click.option("--seconds", type=_SECONDS, default=20.0, help="Wall time per exercise.")
@click.option("--memory", type=click.IntRange(min=200), default=2000, help="Megabytes per exercise.")
@click.option("--jobs", "-j", type=_COUNT, help="Exercises at the same time.  [default: one per core]")
@click.option("--seed", type=_SEED, help="Seed of the hidden inputs, to repeat a grading.  [default: a fresh one]")
@_JSON
def grade(
    folder: Path, out: Path | None, notebook: str | None, seconds: float, memory: int, as_json: bool, **options: object
) -> None:
    """Grade FOLDER/STUDENT.ipynb or FOLDER/STUDENT/*.ipynb: points and feedback for each exercise.

    Writes grades.json, grades.csv (totals of each student) and grades.html. Every name in FOLDER has a row, which says what is wrong with
    it; hidden names and __MACOSX are left out. Every exercise runs alone, with limits, on hidden inputs that are sent one by one; its
    answers are compared with what the installed package works out in another process.

    Where Linux lets users make namespaces, a submission sees the installed packages, read-only, and nothing else: no network, no other
    process, no file of yours, no reference answer. Elsewhere (macOS, Windows, most containers) it runs with all your rights, and this is
    said: then it could read the reference, change or delete your files and these grades, and send what it reads. Grade strangers' work in
    a container or virtual machine there.
    """
    from mmnb.course.grading import report
    from mmnb.course.grading.folder import grade_folder
    from mmnb.course.grading.judge import Limits
    from mmnb.runner import selection, summary

    slug = selection.select([notebook])[0] if notebook else None
    target = _writable(out or folder / "grades")  # known before the first exercise runs, not after the last
    limits = Limits(seconds, memory)
    endings = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {ending: signal.signal(ending, signal.default_int_handler) for ending in endings}  # as Ctrl-C: clear away
    try:
        found, seed, isolated = grade_folder(folder, limits=limits, notebook=slug, out=target, progress=True, **options)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except KeyboardInterrupt:
        click.echo("\nInterrupted: nothing was written.", err=True)
        sys.exit(summary.INTERRUPTED)
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)
    files = report.write(found, seed, target, isolated)
    if not isolated:
        click.echo(report.PROMISE[isolated], err=True)
    if as_json:
        click.echo(json.dumps(report.document(found, seed, isolated), indent=1, ensure_ascii=False))
        return
    for one in found:
        click.echo(f"{one.points:>3} of {one.of:<3} {one.student}" + (f"   {one.problem}" if one.problem else ""))
    click.echo("\n".join(map(str, files)))


def _writable(folder: Path) -> Path:
    target = folder.expanduser().resolve()
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target):
            return target
    except OSError as error:
        raise click.UsageError(f"cannot write to {target}: {error.strerror}") from error
