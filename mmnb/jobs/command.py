"""`mmnb emap`: measure a model of your own from a shell, on one computer or a cluster. The work is done in `load`, imported late."""

import sys
from pathlib import Path
from types import SimpleNamespace

import click

_TEACH = """\
\b
MODULE:FACTORY names a function in a file or module that Python finds from here: `my_model:load` is load() in my_model.py.
It is called without arguments.
  --model  returns f with f(batch_a, batch_b) -> (B, C) scores: a torch module in eval mode, or any function. Logits, not probabilities.
  --data   returns (a, b) or (a, b, labels), or a dict with these names; a[i] belongs to b[i]. Each is a tensor, an array, a list,
           a DataFrame, or a dict or tuple of those; a torch module gets arrays as tensors, on its device. Instead of a factory: a
           file .npz, .safetensors or .pt with the names a, b and perhaps labels; parts of a dict are called a.input_ids, ...
\b
Examples:
  mmnb emap --model my_model:load --data my_data:pairs --out build/emap
  mmnb emap --model my_model:load --data pairs.npz --out build/emap --precision bfloat16 --batch-size 512
  torchrun --nproc-per-node 4 -m mmnb emap --model my_model:load --data my_data:pairs --out build/emap
\b
my_model.py, for instance:
  def load():
      model = Classifier().eval()
      model.load_state_dict(torch.load("weights.pt", weights_only=True))
      return lambda images, tokens: model(image=images, **tokens).logits
\b
What it writes to --out:
  result.json         shares of a, b and their interaction; with labels the scores of the model, its projection and the marginals
  result.safetensors  original, projected, marginal_a, marginal_b (N, C), grand_mean and sums of squares (C), and how much of these all
                      outputs share (), all float64
  checkpoint*         the sums so far. Killed? Start the same command again: it goes on, and the result has the same bits.
\b
Under torchrun every process needs the whole data and the same weights (seed what is random); rows are shared out, process 0 writes.
\b
Exit codes: 0 done; 1 failed, or written without a number that could not be computed (it says which); 2 wrong usage; 130 interrupted.
"""


@click.command(short_help="Measure a model of your own: how much of it is interaction?", epilog=_TEACH)
@click.option("--model", required=True, metavar="MODULE:FACTORY", help="What makes f(batch_a, batch_b) -> scores.")
@click.option("--data", required=True, metavar="MODULE:FACTORY|FILE", help="What makes the pairs, or holds them.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the result.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Pairs per call.  [default: about 4 MiB of inputs]")
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    help="Run the model under autocast in this precision; sums are float64 always.  [default: as the model is]",
)
@click.option(
    "--device", help="cpu, cuda, cuda:1, mps.  [default: cuda if there is one, under torchrun one for each process]"
)
@click.option(
    "--move-batches",
    is_flag=True,
    help="Move each batch to the device, instead of all data at once: slower, for data that do not fit there.",
)
@click.option(
    "--strategy",
    "--method",  # its name before
    "strategy",
    type=click.Choice(["auto", "pairs", "cross", "split"]),
    default="auto",
    help="auto: the cheapest that the model offers; the numbers are the same. pairs: score every pair with it.",
)
@click.option(
    "--metric",
    default="accuracy",
    metavar="NAME|MODULE:FUNCTION",
    help="How to score when there are labels: accuracy; a name or function of scikit-learn (f1, roc_auc, average_precision, r2, "
    "sklearn.metrics:matthews_corrcoef); or a function(scores, labels) -> float on arrays. Checked before the pass.",
)
@click.option(
    "--threshold", type=float, help="Where a single score says yes.  [default: 0, for logits; 0.5 for probabilities]"
)
@click.option(
    "--save-every", type=click.FloatRange(min=0), default=30.0, metavar="SECONDS", help="Time between two checkpoints."
)
@click.option(
    "--outputs",
    type=click.Choice(["classes", "separate"]),
    default="classes",
    help="What several scores are: logits of the classes of one softmax, or each a quantity of its own (several labels, regression).",
)
@click.option("--no-check", is_flag=True, help="Do not refuse a model whose answer to the same pair changes.")
def emap(**options: object) -> None:
    """Project a model onto the additive functions of its two inputs, and say what share of it is interaction.

    The scores of all N x N pairs are summed, at most N^2 forward passes, with memory for N. It may be killed at any moment and started
    again, and be spread over many processes with torchrun.
    """
    from mmnb import paths
    from mmnb.jobs import load

    try:
        paths.local(options["out"], "emap: --out")
        lines, missing = load.run(SimpleNamespace(**options))
    except (ValueError, TypeError) as error:
        if not str(error).startswith(("emap: ", "grid: ", "score: ")):  # the model's own: its traceback is what helps
            raise
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("\nInterrupted: start the same command again to go on from here.", err=True)
        sys.exit(130)
    for line in lines:
        click.echo(line)
    if missing:
        raise click.ClickException(f"the result is without its {' and '.join(missing)}; all else is written")
