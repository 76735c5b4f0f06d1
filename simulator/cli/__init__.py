"""The command line: one program, one sentence for every mistake, one exit code for every kind of end.

0 done, 1 a `--fail-if` holds, 2 bad input, 3 no option is feasible; 130 and 141 where the user or the reader of
the output went away. Commands import what they need when they run, so that `--help` stays quick.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import simulator
from pricing.errors import InputError, TunepointError
from simulator.cli import answers, batch, dashboard, dataset, decisions, export, gpus, inputs, own, prices, studies
from simulator.cli.output import give_up_stdout

PROGRAM = "tunepoint"
INTERRUPTED = 130
READER_GONE = 141
"""As a shell says of a program that SIGINT (2) or SIGPIPE (13) ended: 128 and the signal."""

app = typer.Typer(
    name=PROGRAM,
    help="Keep the long prompt, fine-tune through an API, or serve it yourself: from which volume, on which day.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("compare")(answers.compare)
app.command("break-even")(answers.break_even)
app.command("batch")(batch.batch)
app.command("map")(studies.cost_map)
app.command("sweep")(studies.sweep)
app.command("sensitivity")(studies.sensitivity)
app.command("backtest")(decisions.backtest)
app.command("outlook")(decisions.outlook)
app.command("diagnose")(decisions.diagnose)
app.command("size")(gpus.size)
app.add_typer(prices.app, name="prices")
app.add_typer(gpus.app, name="gpu")
app.command("trace")(inputs.trace)
app.command("tokens")(inputs.tokens)
app.command("dataset")(dataset.dataset)
app.command("usage")(own.usage)
app.command("init")(own.init)
app.command("export")(export.export)
app.command("schema")(inputs.schema)
app.command("app")(dashboard.app)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"{PROGRAM} {simulator.__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Where every command begins: nothing is read before it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a mistake of the user is one sentence on standard error.

    Args:
        arguments: what stands after the program's name (default: what was typed).
    """
    typed = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: on matrices this small, threads cost more
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without a letter shows a question mark
    try:
        return _run(typed or ["--help"])
    except TunepointError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except typer.TyperException as error:
        print(_usage(error), file=sys.stderr)
        return InputError.exit_code
    except (KeyboardInterrupt, typer.Abort):                    # Abort: Ctrl-C or Ctrl-D at a question
        return INTERRUPTED
    except BrokenPipeError:
        give_up_stdout()
        return READER_GONE


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        with command.make_context(PROGRAM, arguments) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return 0


def _usage(error: typer.TyperException) -> str:
    """What was typed wrong, in one sentence with the nearest right thing or where to look."""
    context = getattr(error, "ctx", None)
    where = PROGRAM if context is None else context.command_path
    text = error.format_message().strip().rstrip(".").replace("'", '"')
    text = re.sub(r"\s*\(Possible options: (.*)\)$", r"; did you mean \1?", text)
    text = re.sub(r"\. Did you mean", "; did you mean", text)
    text = re.sub(r'(did you mean "[^"]+")(, "[^"]+")+', r"\1", text)  # the nearest one is enough
    help_is = "" if "did you mean" in text else f"; see {where} --help"
    return f"{where}: {text[:1].lower()}{text[1:]}{help_is}"
