"""Training with a progress bar, from the first sample to the files that a finished run leaves."""

import shlex
from pathlib import Path
from typing import Any

import typer

from ..model.carry import join_digits
from ..model.config import Config
from ..model.data import Dataset
from ..model.interruption import Interrupted
from ..model.run import Run
from ..sim.array.config import ArrayConfig
from ..sim.array.run import AnalogRun, open_run
from .conductance_picture import draw_conductances
from .console import TrainingProgress, make_table, notices, output, percent
from .options import load_data
from .picture import draw_learning

PICTURE, CONDUCTANCES = "learning.png", "conductances.png"
PREPARING = "reading data, and the first time on a machine compiling the training loops ..."


def train_run(path: Path, config: Config, source: str, array: ArrayConfig | None = None) -> dict[str, Any]:
    """Begin a run in the new directory `path`, on analog arrays if `array` is given, and train it to its end.

    Returns
    -------
    dict
        The report, as in ``report.json``.

    Raises
    ------
    StochastorError, OSError
        If the directory is in use or cannot be written, or the data cannot be read or does not fit.
    typer.Exit
        If the user interrupts; the state is saved then, and the user told how to go on.
    """
    with notices.status(PREPARING):
        dataset = load_data(source, config)
        if array is None:
            run = Run.create(path, config, dataset, source)
        else:
            run = AnalogRun.create_on(path, config, array, dataset, source)
    return finish_run(run, dataset)


def resume_run(path: Path, source: str | None = None) -> dict[str, Any]:
    """Go on with the run in `path`; raises and returns as `train_run`.

    Parameters
    ----------
    path : Path
    source : str, optional
        Where the data is now, if it moved since the run began.
    """
    with notices.status(PREPARING):
        run = open_run(path)
    if run.finished:
        notices.print(f"{path} is finished ({run.epoch} of {run.config.epochs} epochs): nothing to do")
        _write_missing(run)
        return run.report()
    dataset = load_data(source or run.data.source, run.config)
    run.check_data(dataset)
    if source is not None:
        run.move_data(source)
    return finish_run(run, dataset)


def print_figures(report: dict[str, Any]) -> None:
    """Print the figures of a finished run, the machine's next to the baseline's."""
    sizes = "-".join(map(str, report["config"]["sizes"]))
    rate, baseline_rate = (f"{report[key]:,.0f}" for key in ("samples_per_second", "baseline_samples_per_second"))
    rows = [
        ("machine, 16 votes", percent(report["test_accuracy_votes16"]), rate),
        ("machine, 1 vote", percent(report["test_accuracy_votes1"]), ""),
        ("float baseline", percent(report["baseline_test_accuracy"]), baseline_rate),
    ]
    title = f"{sizes} on {report['data']}, trained with {report['epochs']} x {report['train_samples']:,} samples"
    columns = ("learner", f"test accuracy ({report['test_samples']:,} samples)", "samples/s trained")
    output.print(make_table(title, columns, rows))


def finish_run(run: Run, dataset: Dataset, command: str = "stochastor train") -> dict[str, Any]:
    """Train a run to its end; raises and returns as `train_run`.

    Parameters
    ----------
    run : Run
    dataset : Dataset
    command : str
        What goes on with it after an interruption, by its --resume.
    """
    try:
        with TrainingProgress(run) as progress:
            run.train(dataset, progress)
    except KeyboardInterrupt as interrupt:
        notices.print(
            f"interrupted {_position(run)}, state saved; go on with: {command} --resume {shlex.quote(str(run.path))}"
        )
        raise typer.Exit(interrupt.exit_code if isinstance(interrupt, Interrupted) else 130) from None
    _write_missing(run)
    pictures = f"{PICTURE}, {CONDUCTANCES}" if isinstance(run, AnalogRun) else PICTURE
    notices.print(f"wrote {run.path}: {run.CONFIG}, {run.STATE}, {run.REPORT}, {pictures}")
    return run.report()


def _position(run: Run) -> str:
    if run.epoch == run.config.epochs:
        return "in the last evaluation"
    return f"after {run.samples_done:,} samples of epoch {run.epoch + 1}"


def _write_missing(run: Run) -> None:
    if not (run.path / run.REPORT).exists():
        run.write_report()
    if not (run.path / PICTURE).exists():
        weights = join_digits(run.trainer.weights()[0], run.config.carry_digits, run.config.carry_base)
        draw_learning(run.path / PICTURE, run.report(), weights)
    if isinstance(run, AnalogRun) and not (run.path / CONDUCTANCES).exists():
        draw_conductances(run.path / CONDUCTANCES, *run.conductances_S(1))
