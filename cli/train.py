"""``stochastor train``: begin a training run, or go on with one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ..model.errors import ConfigError
from .options import (
    DEFAULT_DATA,
    ArrayOption,
    ConfigOption,
    DataOption,
    EpochsOption,
    JsonOption,
    PresetOption,
    SeedOption,
    resolve_array,
    resolve_config,
)
from .report import check_json_path, write_json
from .training import print_figures, resume_run, train_run


def train(
    preset: PresetOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    seed: SeedOption = None,
    epochs: EpochsOption = None,
    array: ArrayOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="Directory to make for the run.", show_default=False)
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="RUN", help="Go on with a run that was interrupted.", show_default=False),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Train the machine, and a floating-point baseline beside it.

    Without further options it trains the preset `digits` on scikit-learn's 8x8 digits, in seconds. RUN then holds
    config.toml, state.npz (weights and generators), report.json (figures) and learning.png. Ctrl-C saves the state at
    the exact sample; a resumed run ends in the same bits as one that was never interrupted. With --array the machine
    learns on simulated devices instead of exact integers, and RUN holds array.toml, their conductances, and
    conductances.png with maps of those before and after.

    Examples:

        stochastor train --out runs/digits
        stochastor train --preset mnist --data idx:data/mnist --seed 7 --out runs/mnist
        stochastor train --config seven_bits.toml --array taox --out runs/taox
        stochastor train --resume runs/mnist
    """
    check_json_path(json)
    if resume is not None:
        begun_with = {"--preset": preset, "--config": config, "--seed": seed, "--epochs": epochs, "--array": array}
        begun_with["--out"] = out
        _check_alone(begun_with)
        report = resume_run(resume, data)
    elif out is not None:
        machine = resolve_config(preset, config, seed=seed, epochs=epochs)
        report = train_run(out, machine, data or DEFAULT_DATA, resolve_array(array))
    else:
        raise ConfigError(
            "nowhere to put the run: name a new directory with --out, or an interrupted run with --resume"
        )
    print_figures(report)
    write_json(json, report)


def _check_alone(options: Mapping[str, object]) -> None:
    for option, value in options.items():
        if value is not None:
            raise ConfigError(f"--resume goes on as the run was begun: {option} cannot be given with it")
