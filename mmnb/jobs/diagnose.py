"""`mmnb diagnose`: the report on a model of your own from a shell, on one computer or a cluster, with an exit code for CI."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click

FIRED = 3
_TEACH = """\
\b
MODULE:FACTORY names a function without arguments in a file or module that Python finds from here, as in `mmnb emap`.
  --model  returns f(image, text, ...) -> (B, C) logits: a torch module in eval mode, any function, a fitted estimator.
  --data   returns mmnb.Data(image=..., text=..., y=...), or what mmnb.Data.read reads: a dict of columns, a DataFrame, a Dataset or
           DataLoader of dicts. Instead of a factory: a file .npz, .safetensors or .pt; its names other than y, label, labels, group,
           options and pair are the modalities, parts of a dict are called text.input_ids, ...
\b
Examples:
  mmnb diagnose --model my_model:load --data my_data:pairs --out report
  mmnb diagnose --model my_model:load --data pairs.npz --out report --budget "20 min" --fail-on blind,batch
  torchrun --nproc-per-node 4 -m mmnb diagnose --model my_model:load --data my_data:pairs --out report
\b
What it writes to --out:
  report.json, report.html   the report; the first holds all that the second shows
  checkpoint*                the sums so far. Killed? Start the same command again: it goes on.
\b
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 a warning that --fail-on names fired; 130 interrupted.
"""


def _names(ctx: click.Context, param: click.Parameter, value: str) -> list[str]:
    from mmnb.diagnosis.alerts import RULES

    named = [one.strip() for one in value.split(",") if one.strip()]
    known = [*RULES, "any"] if param.name == "fail_on" else ["data", "words", "robustness"]
    strange = [one for one in named if one not in known]
    if strange:
        raise click.BadParameter(f"{strange[0]!r}; expected some of {', '.join(known)}")
    return named


@click.command(short_help="Report on a model of your own: does it use its modalities together?", epilog=_TEACH)
@click.option("--model", required=True, metavar="MODULE:FACTORY", help="What makes the model.")
@click.option("--data", required=True, metavar="MODULE:FACTORY|FILE", help="What makes the examples, or holds them.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the report.")
@click.option("--metric", default="accuracy", metavar="NAME|MODULE:FUNCTION", help="As in `mmnb emap`.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Pairs per call.  [default: about 4 MiB of inputs]")
@click.option("--device", help="cpu, cuda, cuda:1, mps.  [default: cuda if there is one]")
@click.option("--budget", metavar="TIME", help="Time for the pass, such as '20 min': partners are drawn to fit.")
@click.option("--plan", is_flag=True, help="Say what it would cost, from two timed batches, and run nothing.")
@click.option(
    "--also", default="", callback=_names, metavar="NAMES", help="Sections that cost more: data,words,robustness."
)
@click.option(
    "--fail-on",
    default="",
    callback=_names,
    metavar="NAMES",
    help="Exit code 3 if one of these warnings fires; any: whichever.",
)
@click.option("--no-check", is_flag=True, help="Do not refuse a model whose answer to the same pair changes.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of every draw.")
def diagnose(**options: Any) -> None:
    """Report on whether a model uses its modalities together: one pass over mixed pairs, every number with its interval."""
    from mmnb import paths

    try:
        paths.local(options["out"], "diagnose: --out")
        found = run(SimpleNamespace(**options))
    except (ValueError, TypeError) as error:
        if not str(error).startswith(("diagnose: ", "Data", "grid: ", "score: ", "group: ")):
            raise  # the model's own: its traceback is what helps
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("\nInterrupted: start the same command again to go on from here.", err=True)
        sys.exit(130)
    if found is None:
        return
    click.echo(str(found))
    if options["plan"]:
        return
    click.echo(f"\nwritten to {options['out'] / 'report.html'} and {options['out'] / 'report.json'}")
    fired = [one.id for one in found.warnings if one.id in options["fail_on"] or "any" in options["fail_on"]]
    if fired:
        click.echo(f"--fail-on: {', '.join(dict.fromkeys(fired))} fired", err=True)
        sys.exit(FIRED)


def run(job: SimpleNamespace) -> Any:
    """The report, written by process 0; a plan with `--plan`; None on the other processes."""
    from mmnb.diagnosis import Data
    from mmnb.diagnosis import diagnose as report_of
    from mmnb.instruments.checks import modules_behind
    from mmnb.jobs import load

    sys.path.insert(0, os.getcwd())  # as `python -m` does
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", "30")
    with load.processes() as (rank, world):
        device = load.device_of(job.device)
        metric = load.found(job.metric, "metric") if ":" in job.metric else job.metric
        model, data = load.factory(job.model, "model"), load.content(job.data)
        if isinstance(data, Mapping) and not isinstance(data, Data):
            data = load.put_together({str(name): part for name, part in data.items()})
        data = data if isinstance(data, Data) else Data.read(data)
        modules = [module.to(device) for module in modules_behind(model)] if callable(model) else []
        like = modules[0] if modules else None
        data.modalities = {name: load.moved(batch, device, like) for name, batch in data.modalities.items()}
        sampled = job.budget is not None
        whole = (
            {}
            if sampled or len(data.names) > 2
            else {"checkpoint": job.out / "checkpoint.safetensors", "distributed": world > 1}
        )
        how = dict(metric=metric, batch_size=job.batch_size, check=not job.no_check, seed=job.seed, also=job.also)
        found = report_of(model, data, budget=job.budget, plan=job.plan, progress=True, **how, **whole)
        if rank:
            return None
        if not job.plan:
            found.save(job.out / "report.json")
            found.save(job.out / "report.html")
        return found
