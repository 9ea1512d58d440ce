"""``stochastor cosim``: hardware and golden model train the same samples and are compared bit for bit."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from ..model.config import ArraySide, Config
from ..model.errors import ConfigError, DataError
from ..model.schedule import exponent, sample_order
from .console import make_table, notices, output
from .options import (
    DEFAULT_DATA,
    ArrayOption,
    ConfigOption,
    DataOption,
    JsonOption,
    PresetOption,
    SeedOption,
    load_data,
    resolve_array,
    resolve_config,
)
from .report import check_json_path, write_json

if TYPE_CHECKING:
    from ..hdl.verilog import Design
    from ..sim.array.config import ArrayConfig
    from ..sim.cosim import CosimReport, Simulator

SIMULATORS = ("icarus", "verilator", "compiled")


def cosim(
    preset: PresetOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    seed: SeedOption = None,
    samples: Annotated[int, typer.Option("--samples", metavar="N", help="Training samples to compare.", min=1)] = 100,
    simulator: Annotated[
        str | None,
        typer.Option(
            "--simulator",
            metavar="NAME",
            help=f"{', '.join(SIMULATORS)}; by default the fastest that is installed.",
            show_default=False,
        ),
    ] = None,
    stalls: Annotated[
        float,
        typer.Option("--stalls", metavar="P", help="Probability of a stall of each stream in each cycle."),
    ] = 0.0,
    array: ArrayOption = None,
    verilog: Annotated[
        Path | None,
        typer.Option(
            "--verilog", metavar="DIR", help="Simulate the files that `stochastor verilog` wrote.", show_default=False
        ),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Train real samples on the golden model and on its Verilog, and compare every bit.

    Compared are row events, fired bits, gates, backward reads, signs, pulses, the weights that pulses leave, results,
    and the weights and counters at the end. The thinning schedule is run through in the N samples. A difference is
    named by sample, layer, stage and lane, or by layer and counter, with both values; the command exits with code 1.

    With --array, the model trains on analog arrays, and the hardware reaches arrays of the same devices by its pins;
    compared are all decisions and, at the end, all conductances. Whatever a pin does that the specification forbids is
    named by cycle, layer and pin.

    Examples:

        stochastor cosim
        stochastor cosim --preset tiny --simulator icarus --samples 20 --stalls 0.3
        stochastor cosim --verilog build/digits --samples 500
        stochastor cosim --config coarse.toml --array taox
    """
    check_json_path(json)
    if not 0 <= stalls < 1:
        raise ConfigError(f"--stalls must be from 0 to less than 1, not {stalls}")
    chosen = _simulator(simulator)
    arrays = resolve_array(array)
    design = _design(verilog, preset, config, seed, pins=arrays is not None)
    report = run_cosim(design, data or DEFAULT_DATA, samples, chosen, stalls, arrays)
    print_cosim(report, design.config)
    write_json(json, cosim_figures(report, design.config))
    if report.differences:
        raise typer.Exit(1)


def run_cosim(
    design: "Design",
    source: str,
    samples: int,
    simulator: "Simulator",
    stalls: float,
    array: "ArrayConfig | None" = None,
) -> "CosimReport":
    """Co-simulate the first `samples` training samples, in the order of the first epoch, perhaps on analog arrays.

    Raises
    ------
    StochastorError
        If data, design or simulator are not as they must be.
    """
    from ..sim.cosim import cosimulate

    config = design.config
    dataset = load_data(source, config)
    available = len(dataset.train_labels)
    if samples > available:
        raise DataError(f"{source} has {available} training samples, fewer than the {samples} of --samples")
    order = sample_order(config.seed, 0, available, config.shuffle_block)[:samples]
    with notices.status(f"{simulator}: building and simulating"):
        return cosimulate(
            design,
            dataset.train_features[order],
            dataset.train_labels[order],
            np.array([exponent(index, samples) for index in range(samples)]),
            simulator=simulator,
            array=array,
            stalls=stalls,
        )


def print_cosim(report: "CosimReport", config: Config) -> None:
    """Print what was compared and what differs."""
    rows = [
        ("samples", f"{report.samples:,}"),
        ("decisions compared", f"{report.decisions:,}"),
        ("counters compared", f"{report.counters}"),
        ("cycles per sample", f"{report.cycles_per_sample:,.1f}"),
        ("differences", f"{report.differences}"),
    ]
    sizes = "-".join(map(str, config.sizes))
    output.print(make_table(f"{sizes} in {report.simulator} simulation, against the golden model", ("", ""), rows))
    if report.first_difference is not None:
        output.print(f"first difference: {report.first_difference}", style="bold red")


def cosim_figures(report: "CosimReport", config: Config) -> dict[str, Any]:
    """The figures as --json takes them."""
    return asdict(report) | {"config": config.to_dict(), "config_sha256": config.digest}


def _simulator(name: str | None) -> "Simulator":
    from ..sim.cosim import Simulator, best_simulator, check_simulator

    if name is None:
        return best_simulator()
    if name not in SIMULATORS:
        raise ConfigError(f"there is no simulator {name!r}; the simulators are {', '.join(SIMULATORS)}")
    check_simulator(Simulator(name))
    return Simulator(name)


def _design(
    delivered: Path | None, preset: str | None, config: Path | None, seed: int | None, *, pins: bool
) -> "Design":
    from ..hdl.verilog import Design, generate

    if delivered is None:
        machine = _machine(preset, config, seed, pins=pins)
        with notices.status("generating Verilog"):
            return generate(machine)
    design = Design.read(delivered)
    if preset is not None or config is not None or seed is not None:
        wanted = _machine(preset, config, seed, pins=pins)
        if wanted.digest != design.config.digest:
            raise ConfigError(
                f"{delivered} was made for another configuration; leave --preset, --config and --seed out"
            )
    return design


def _machine(preset: str | None, config: Path | None, seed: int | None, *, pins: bool) -> Config:
    machine = resolve_config(preset, config, seed=seed)
    return replace(machine, array_side=ArraySide.PINS) if pins else machine
