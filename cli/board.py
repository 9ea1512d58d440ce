"""``stochastor board``: train, classify and check on a board over its serial port."""

import shlex
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from ..model.errors import BoardResetError, ConfigError, LinkLostError
from ..model.run import VOTES, Run, check_free
from ..model.trainer import check_passes, predictions
from .board_check import check_board, print_check
from .board_connection import (
    BaudOption,
    MemoryOption,
    PortOption,
    SimulatedOption,
    TraceOption,
    connect,
    simulated_port,
)
from .console import notices, output, sample_progress
from .infer import classification_figures, print_classification
from .options import (
    DEFAULT_DATA,
    ConfigOption,
    DataOption,
    EpochsOption,
    JsonOption,
    PresetOption,
    SeedOption,
    load_data,
    resolve_config,
)
from .report import check_json_path, write_json
from .training import finish_run, print_figures

board = typer.Typer(name="board", help="Boards: train, classify and check over a serial port.", no_args_is_help=True)


@board.callback()
def _board() -> None:
    """Boards: train, classify and check over a serial port."""


@board.command()
def train(
    port: PortOption = None,
    simulated: SimulatedOption = False,
    memory: MemoryOption = False,
    baud: BaudOption = None,
    preset: PresetOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    seed: SeedOption = None,
    epochs: EpochsOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="Directory to make for the run.", show_default=False)
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="RUN", help="Go on with a run that broke off.", show_default=False),
    ] = None,
    replay: Annotated[
        bool,
        typer.Option("--replay/--no-replay", help="Train from the board's memory, if it has one with enough room."),
    ] = True,
    json: JsonOption = None,
) -> None:
    """Train a board, and a floating-point baseline beside it; `stochastor train` with the board as the machine.

    RUN is a run as `stochastor train` makes it, and ends in the same weights, bit for bit. If the cable is pulled, the
    board keeps what it learned: plug it in and --resume goes on with the next sample. If the board was reset,
    --resume brings it back to the end of the last whole epoch.

    A board with a memory that has room for the training set gets it once, and then only the order of the samples.

    Examples:

        stochastor board train --simulated --preset tiny --out runs/board
        stochastor board train --port /dev/ttyUSB0 --preset digits --out runs/board
        stochastor board train --port /dev/ttyUSB0 --resume runs/board
    """
    from ..fpga.host.run import BoardRun

    check_json_path(json)
    if (out is None) == (resume is None):
        raise ConfigError("which run? Name a new directory with --out, or one to go on with by --resume")
    path = out or resume
    assert path is not None
    if resume is None:
        check_free(path)
        machine, sessions, stored = resolve_config(preset, config, seed=seed, epochs=epochs), set[int](), None
        source = data or DEFAULT_DATA
        dataset = load_data(source, machine)
    else:
        if any(option is not None for option in (preset, config, seed, epochs)):
            raise ConfigError(
                "--resume goes on as the run was begun: no --preset, --config, --seed or --epochs with it"
            )
        begun = Run.open(resume)
        machine, sessions, stored = begun.config, BoardRun.sessions(resume), BoardRun.stored(resume)
        source = data or begun.data.source
        dataset = load_data(source, machine)
        begun.check_data(dataset)
    command = _command(
        {
            "--port": port,
            "--simulated": simulated,
            "--memory": memory,
            "--baud": baud,
            "--data": data if resume else None,
            "--no-replay": not replay,
            "--json": json,
        }
    )
    with (
        _telling_how_to_go_on(path, command),
        connect(machine, port, simulated, baud, memory=memory, sessions=sessions, stored=stored) as connected,
    ):
        if resume is None:
            run = BoardRun.create_on(path, machine, connected, dataset, source)
        else:
            run = BoardRun.open_on(path, connected)
        samples = len(dataset.train_labels)
        if replay and not run.finished and samples == connected.room(dataset.train_features):
            with sample_progress("store", samples) as progress:
                run.store(dataset, progress)
        report = finish_run(run, dataset, command)
    print_figures(report)
    write_json(json, report)


@board.command()
def infer(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Write this run's weights to the board first.")
    ] = None,
    port: PortOption = None,
    simulated: SimulatedOption = False,
    baud: BaudOption = None,
    preset: PresetOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    passes: Annotated[
        int, typer.Option("--passes", metavar="T", help="Stochastic passes that vote on a sample, 1 to 255.")
    ] = VOTES,
    json: JsonOption = None,
) -> None:
    """Classify the test set on a board by votes and print accuracy, confusion matrix and samples per second.

    With RUN its weights are written to the board; without, the board classifies with those it has.

    Examples:

        stochastor board infer runs/digits --port /dev/ttyUSB0
        stochastor board infer --port /dev/ttyUSB0 --preset digits --passes 64
    """
    check_json_path(json)
    check_passes(passes)
    trained = None if run is None else Run.open(run)
    if trained is not None and (preset is not None or config is not None):
        raise ConfigError(f"{run} says which machine it is: no --preset or --config with it")
    machine = resolve_config(preset, config) if trained is None else trained.config
    source = data or (DEFAULT_DATA if trained is None else trained.data.source)
    dataset = load_data(source, machine)
    with connect(machine, port, simulated, baud) as connected:
        if trained is not None:
            connected.load(trained.trainer.weights())
        features = dataset.test_features
        with sample_progress("classify", len(features)) as progress:
            start = perf_counter()
            predicted = predictions(connected.infer(features, passes, progress))
            seconds = perf_counter() - start
    figures = classification_figures(dataset, predicted, passes, machine.sizes[-1])
    figures["samples_per_second"] = len(features) / seconds
    print_classification(figures, "on the board")
    output.print(f"{figures['samples_per_second']:,.1f} samples classified per second")
    write_json(json, figures)


@board.command()
def check(
    port: PortOption = None,
    simulated: SimulatedOption = False,
    memory: MemoryOption = False,
    baud: BaudOption = None,
    preset: PresetOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    seed: SeedOption = None,
    samples: Annotated[int, typer.Option("--samples", metavar="N", help="Training samples to compare.", min=1)] = 200,
    trace: Annotated[
        bool, typer.Option("--trace", help="Compare every decision of every sample; for boards built with --trace.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Train the same samples on the board and on the golden model, and compare what crosses the link bit for bit.

    Both start anew. Compared are fired outputs of every training sample, all weights, generators, counters, and votes
    for test samples; a difference is named, and the command exits with code 1. If the board has a memory, samples are
    stored in it, and every other part of them is trained from there. Cells of arrays on the pins of the board are
    programmed and read back first, which shows wrong wires; whatever devices are not ideal in makes differences.

    With --trace the board tells after each sample what every layer did, so that a difference is named by sample, layer,
    stage and lane where it began. Samples then go over the link one by one.

    Examples:

        stochastor board check --port /dev/ttyUSB0 --preset digits
        stochastor board check --simulated --preset tiny --samples 500
        stochastor board check --simulated --preset tiny --trace
    """
    check_json_path(json)
    machine = resolve_config(preset, config, seed=seed)
    dataset = load_data(data or DEFAULT_DATA, machine)
    with connect(machine, port, simulated, baud, memory=memory, trace=trace) as connected:
        report = check_board(connected, dataset, samples, trace=trace)
    print_check(report, machine)
    write_json(json, report.to_dict() | {"config": machine.to_dict(), "config_sha256": machine.digest})
    if report.first_difference is not None:
        raise typer.Exit(1)


@board.command()
def simulate(
    memory: MemoryOption = False,
    trace: TraceOption = False,
    baud: BaudOption = None,
    preset: PresetOption = None,
    config: ConfigOption = None,
    seed: SeedOption = None,
) -> None:
    """Simulate a board behind a pseudo-terminal until Ctrl-C, for the other commands' --port.

    Examples:

        stochastor board simulate --preset tiny
        stochastor board train --port /dev/pts/7 --preset tiny --out runs/board
    """
    machine = resolve_config(preset, config, seed=seed)
    with simulated_port(machine, baud, memory=memory, trace=trace) as (path, rate):
        output.print(f"--port {path} --baud {rate}")
        notices.print("Ctrl-C pulls the cable")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            raise typer.Exit from None


def _command(options: Mapping[str, object]) -> str:
    """What trains on the same board in the same way, a --resume behind it."""
    words = ["stochastor", "board", "train"]
    for option, value in options.items():
        if value is True:
            words.append(option)
        elif value is not None and value is not False:
            words += [option, str(value)]
    return shlex.join(words)


@contextmanager
def _telling_how_to_go_on(path: Path, command: str) -> Iterator[None]:
    """Once there is a run, whatever loses its board says what goes on with it."""
    try:
        yield
    except (LinkLostError, BoardResetError) as error:
        if not (path / Run.STATE).exists():
            raise
        raise type(error)(f"{error}; go on with: {command} --resume {shlex.quote(str(path))}") from None
