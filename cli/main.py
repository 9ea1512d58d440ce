"""The ``stochastor`` command: the application, its commands, and how errors leave it."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from ..model.errors import StochastorError
from .bench import bench
from .board import board
from .build import build
from .console import print_error
from .cosim import cosim
from .demo import demo
from .device import device
from .infer import infer
from .program import program
from .report_run import report
from .reproduce import reproduce
from .spice import spice
from .sweep import sweep
from .train import train
from .verilog import verilog

COMMANDS = (demo, train, infer, report, sweep, reproduce, cosim, verilog, build, spice, bench)

app = typer.Typer(
    name="stochastor",
    help="Train neural networks with one-bit signals on memristor crossbars.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(device)
board.command()(program)
app.add_typer(board)
for _command in COMMANDS:
    app.command()(_command)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Exit codes: 0 done; 1 two machines were compared and differ; 2 bad input or a file that cannot be written; 3 a tool
    is missing or failed; 130 interrupted. Whatever the user can mend is one line on the standard error stream.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of those of the process.
    """
    try:
        app(args=arguments, prog_name="stochastor")
    except StochastorError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        print_error(": ".join(filter(None, (error.filename, error.strerror))) or str(error))
        sys.exit(StochastorError.exit_code)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stochastor {version('stochastor')}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...
