"""``stochastor verilog``: write a machine as Verilog."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..fpga.bus.registers import Bus
from ..model.config import NOT_OF_THE_MACHINE, PIN_CYCLES, ArraySide, Config
from ..model.errors import ConfigError, RunError
from ..model.files import write_together
from ..model.run import Run
from ..sim.array.run import open_run
from .console import make_table, notices, output
from .options import ConfigOption, JsonOption, PresetOption, resolve_config
from .report import check_json_path, write_json

if TYPE_CHECKING:
    from ..fpga.bus.design import BusDesign
    from ..hdl.verilog import Design

# What decides the bits of a trained machine; lanes, tables and beats may be chosen anew.
AREA_FIELDS = ("lanes", "tables", "pixels_per_beat", "array_side", *PIN_CYCLES)
BIT_FIELDS = tuple(field.name for field in fields(Config) if field.name not in {*AREA_FIELDS, *NOT_OF_THE_MACHINE})


def verilog(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Directory for the files.", show_default=False)],
    preset: PresetOption = None,
    config: ConfigOption = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="RUN",
            help="Power up with the weights of this run, finished or not, instead of initial ones.",
            show_default=False,
        ),
    ] = None,
    pins: Annotated[
        bool, typer.Option("--pins", help="Reach arrays by pins instead of keeping weights in block RAM.")
    ] = False,
    bus: Annotated[Bus | None, typer.Option("--bus", help="Put the machine on a bus.", show_default=False)] = None,
    html: Annotated[bool, typer.Option("--html", help="With --bus: pages of the registers, in DIR/html.")] = False,
    json: JsonOption = None,
) -> None:
    """Write the machine as Verilog, with a description of its ports that other tools can read.

    DIR then holds stochastor.v, stochastor.json (configuration, hashes, ports with their fields), stochastor.weights,
    stochastor.f (a list of the sources) and stochastor.vlt (what `verilator --lint-only -Wall` need not report, and
    why). The same machine always gives the same bytes. Without --preset and --config, --weights takes the run's own
    configuration; with one of them, lanes, tables, pixels_per_beat and the side and times of arrays may differ from it.

    With --bus the top is stochastor_axi (AXI4-Lite and AXI4-Stream) or stochastor_wishbone (Wishbone B4), and so are
    the files called; registers.rdl (SystemRDL), stochastor.h (C) and a FuseSoC core file come with them: docs/buses.md.

    Examples:

        stochastor verilog --preset tiny --out build/tiny
        stochastor verilog --weights runs/digits --out build/digits
        stochastor verilog --preset tiny --pins --out build/pins
        stochastor verilog --preset tiny --bus axi --html --out build/axi
        verilator --lint-only -Wall build/tiny/stochastor.vlt build/tiny/stochastor.v
    """
    check_json_path(json)
    check_directory(out)
    if html and bus is None:
        raise ConfigError(
            "--html is of registers, and only a machine on a bus has some: give --bus axi or --bus wishbone"
        )
    design = _design(weights, preset, config, pins=pins, bus=bus)
    files = design.files()
    write_together(out, files)
    if html:
        _write_pages(out)
    _print_design(design, out, files)
    write_json(json, _figures(design, files))


def _design(
    run_path: Path | None, preset: str | None, config_file: Path | None, *, pins: bool, bus: Bus | None
) -> "Design | BusDesign":
    from ..fpga.bus.design import generate_on_bus
    from ..hdl.verilog import generate

    if run_path is None:
        config, matrices = resolve_config(preset, config_file), None
    else:
        run = open_run(run_path)
        matrices = run.trainer.weights()
        config = run.config
        if preset is not None or config_file is not None:
            config = resolve_config(preset, config_file)
            _check_same_machine(run, config)
    if pins:
        config = replace(config, array_side=ArraySide.PINS)
    with notices.status("generating"):
        return generate(config, matrices) if bus is None else generate_on_bus(bus, config, matrices)


def _write_pages(out: Path) -> None:
    from ..fpga.bus.systemrdl import RDL, write_html

    write_html(out / RDL, out / "html")


def _check_same_machine(run: Run, config: Config) -> None:
    for field in BIT_FIELDS:
        trained, given = (machine.to_dict()[field] for machine in (run.config, config))
        if trained != given:
            raise RunError(
                f"{run.path}: its weights are of a machine with {field} = {trained}, not {given}; "
                "leave out --preset and --config to take its own configuration"
            )


def check_directory(path: Path) -> None:
    """Fail early if files could not be written to the directory `path`, as a file is there.

    Raises
    ------
    OSError
        If it is.
    """
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(None, "is a file; --out takes a directory", str(path))


def _print_design(design: "Design | BusDesign", out: Path, files: Mapping[str, bytes]) -> None:
    description = design.description
    sizes = "-".join(map(str, design.config.sizes))
    output.print(f"{sizes} written to {out}")
    output.print(f"configuration {description['config_sha256']}")
    output.print(f"weights       {description['weights_sha256']}")
    sources = [(name, f"{len(content):,}") for name, content in files.items()]
    output.print(make_table("files", ("name", "bytes"), sources))
    geometry = ("rows", "columns", "lanes", "folds", "tables")
    layers = [
        (str(index), *(str(layer[name]) for name in geometry))
        for index, layer in enumerate(description["layers"], start=1)
    ]
    output.print(make_table("layers", ("number", *geometry), layers))
    ports = [(name, port["direction"], str(port["width"])) for name, port in description["ports"].items()]
    output.print(make_table("ports", ("name", "direction", "width"), ports))


def _figures(design: "Design | BusDesign", files: Mapping[str, bytes]) -> dict[str, Any]:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return {"files": digests, **design.description}
