"""Options that several commands share, and the configuration they resolve to."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..model.config import PRESETS, Config, preset
from ..model.data import Dataset, load_dataset
from ..model.errors import ConfigError
from ..sim.array.config import ARRAYS, ArrayConfig, named_array

DEFAULT_PRESET = "digits"
DEFAULT_DATA = "digits"

PresetOption = Annotated[
    str | None,
    typer.Option("--preset", metavar="NAME", help=f"Configuration by name: {', '.join(PRESETS)}."),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration from a TOML file, instead of a preset."),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="Data set: digits, mnist, fashion-mnist, random, idx:DIR (a set like MNIST), npz:FILE or csv:FILE.",
    ),
]
ArrayOption = Annotated[
    str | None,
    typer.Option(
        "--array",
        metavar="ARRAY",
        help=f"Analog arrays instead of exact ones: {', '.join(ARRAYS)}, or a TOML file.",
        show_default=False,
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="Master seed of every random bit, instead of the configuration's."),
]
EpochsOption = Annotated[
    int | None,
    typer.Option("--epochs", metavar="N", help="Length of the run, instead of the configuration's."),
]
JsonOption = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the figures to this file, too."),
]


def resolve_config(
    preset_name: str | None,
    config_file: Path | None,
    *,
    seed: int | None = None,
    epochs: int | None = None,
    default_preset: str = DEFAULT_PRESET,
) -> Config:
    """The configuration that --preset, --config, --seed and --epochs ask for.

    Raises
    ------
    ConfigError
        If both a preset and a file are given, or the result is no possible machine.
    """
    if preset_name is not None and config_file is not None:
        raise ConfigError("--preset and --config exclude each other: give one of them")
    config = Config.from_toml(config_file) if config_file is not None else preset(preset_name or default_preset)
    if seed is not None:
        config = replace(config, seed=seed)
    if epochs is not None:
        config = replace(config, epochs=epochs)
    return config


def resolve_array(array: str | None) -> ArrayConfig | None:
    """The arrays that --array asks for; a name with a dot or a slash in it is a file's.

    Raises
    ------
    ConfigError
        If there is no such preset, or the file is wrong.
    """
    return None if array is None else named_array(array)


def load_data(source: str, config: Config) -> Dataset:
    """The data set that `source` names, checked to fit the machine.

    Raises
    ------
    DataError
        If it cannot be read or does not fit.
    """
    return load_dataset(source, inputs=config.sizes[0], outputs=config.sizes[-1])
