"""``stochastor device``: devices from measurements."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..model.files import write_whole
from .console import make_table, notices, output
from .options import JsonOption
from .report import check_json_path, write_json

if TYPE_CHECKING:
    from ..sim.array.fit import Fit

device = typer.Typer(name="device", help="Devices from measurements.", no_args_is_help=True)


@device.callback()
def _device() -> None:
    """Devices from measurements."""


@device.command()
def fit(
    pulses: Annotated[Path, typer.Argument(metavar="PULSES.csv", help="Measured pulse curves.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.toml", help="Where the array's description goes.")],
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE.png", help="Draw measured and fitted curves.", show_default=False),
    ] = None,
    quantum_S: Annotated[
        float, typer.Option("--quantum-S", metavar="S", help="What conductances are multiples of, in siemens.")
    ] = 1e-8,
    json: JsonOption = None,
) -> None:
    """Fit a device to measured pulse curves, and write a description for --array.

    PULSES.csv has the columns direction (set or reset), pulse (0, 1, 2, ... in every curve) and conductance_S, and, if
    there are several devices, device. Range, states, nonlinearity (as NeuroSim labels it), mismatch of SET and RESET,
    and spread from cycle to cycle and from device to device come from least squares over all steps.

    Examples:

        stochastor device fit pulses.csv --out mine.toml --picture mine.png
        stochastor train --config coarse.toml --array mine.toml --out runs/mine
    """
    check_json_path(json)
    from ..sim.array.config import ArrayConfig
    from ..sim.array.fit import fit_device
    from ..sim.array.pulse_curves import read_pulse_curves

    curves = read_pulse_curves(pulses)
    found = fit_device(curves, quantum_S=quantum_S, source=f"fitted to {pulses.name}")
    if picture is not None:
        from .device_picture import draw_curves

        draw_curves(picture, curves, found.device)
    write_whole(out, ArrayConfig(device=found.device).to_toml().encode("utf-8"))
    _print(found, out)
    write_json(json, _figures(found))


def _figures(found: "Fit") -> dict[str, Any]:
    return asdict(found)


def _print(found: "Fit", out: Path) -> None:
    device, span = found.device, found.device.g_max_S - found.device.g_min_S
    lower, upper = device.bound_spreads
    rows = [
        ("steps fitted", f"{found.steps:,}"),
        ("range, uS", f"{1e6 * device.g_min_S:.4g} to {1e6 * device.g_max_S:.4g}"),
        ("states", f"{device.states}"),
        ("pulses from end to end, SET and RESET", f"{found.set_pulses:.1f}, {found.reset_pulses:.1f}"),
        ("response", f"{device.response}"),
        ("nonlinearity, SET and RESET", f"{device.set_nonlinearity:g}, {device.reset_nonlinearity:g}"),
        ("mismatch of SET and RESET", f"{100 * device.mismatch:.1f} %"),
        ("cycle to cycle, of the range", f"{100 * device.cycle_spread_of_range:.2f} %"),
        ("cycle to cycle, of a step", f"{100 * device.cycle_spread_of_step:.1f} %"),
        ("device to device, steps", f"{100 * device.step_spread:.1f} %"),
        ("device to device, lower and upper bounds", f"{100 * lower:.1f} %, {100 * upper:.1f} %"),
        (
            "residual of SET steps",
            f"{1e6 * found.set_residual_S:.4g} uS, {found.set_residual_S / span:.2%} of the range",
        ),
        (
            "residual of RESET steps",
            f"{1e6 * found.reset_residual_S:.4g} uS, {found.reset_residual_S / span:.2%} of the range",
        ),
    ]
    output.print(make_table("fitted device", ("", ""), rows))
    notices.print(f"wrote {out}: stochastor train --array {out} ...")
