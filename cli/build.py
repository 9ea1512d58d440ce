"""``stochastor build``: a bitstream of a machine for an FPGA board."""

import json as json_format
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..model.config import Config
from ..model.data import Dataset
from ..model.errors import ConfigError
from ..model.files import write_together
from .build_cycles import measure_cycles
from .build_progress import BuildProgress
from .console import make_table, notices, output
from .options import DEFAULT_DATA, ConfigOption, DataOption, JsonOption, PresetOption, load_data, resolve_config
from .report import check_json_path, write_json
from .verilog import check_directory

if TYPE_CHECKING:
    from ..fpga.boards import Board
    from ..fpga.building import Build
    from ..fpga.target import Target

BoardOption = Annotated[str, typer.Option("--board", metavar="NAME", help="Board to build for; `list` names them all.")]
FIGURES, MACHINE = "build.json", "stochastor.toml"


def build(
    board: BoardOption,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Directory for the files.", show_default=False)
    ] = None,
    preset: PresetOption = None,
    config: ConfigOption = None,
    array: Annotated[
        str | None,
        typer.Option(
            "--array",
            metavar="SIDE",
            help="Where weights are, instead of array_side: memory (block RAM) or pins (arrays outside).",
            show_default=False,
        ),
    ] = None,
    data: DataOption = None,
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", min=1, help="Training samples that cycles are counted over.")
    ] = 1000,
    frequency_mhz: Annotated[
        float | None,
        typer.Option(
            "--frequency-mhz",
            metavar="MHZ",
            help="Clock, from the PLL; by default the board's usual one, or what the design meets.",
            show_default=False,
        ),
    ] = None,
    baud: Annotated[
        int | None,
        typer.Option(
            "--baud",
            metavar="RATE",
            min=1,
            help="Bits a second on the serial line, instead of the configuration's.",
            show_default=False,
        ),
    ] = None,
    counters: Annotated[
        bool, typer.Option("--counters/--no-counters", help="Counters of events, a fifth of a small chip.")
    ] = True,
    trace: Annotated[
        bool, typer.Option("--trace", help="Keep the trace of the last training sample, for `board check --trace`.")
    ] = False,
    memory: Annotated[
        bool,
        typer.Option("--memory/--no-memory", help="Keep samples in the board's memory, if it has one."),
    ] = True,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of place and route.")] = 1,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="K", min=1, help="Seeds to try, from --seed on; the fastest is taken.")
    ] = 1,
    jobs: Annotated[int, typer.Option("--jobs", metavar="J", min=1, help="Seeds to try at a time.")] = 1,
    verilog_only: Annotated[
        bool, typer.Option("--verilog-only", help="Write Verilog and constraints for the vendor's tools instead.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Build a bitstream of a machine with its serial link, by Yosys and nextpnr.

    DIR then holds the bitstream, the Verilog, the configuration as stochastor.toml, and build.json: what the chip has
    spent, the fastest clock that nextpnr found, cycles of a training sample (counted in compiled simulation over
    --data), samples a second in the core, over the link and out of the board's memory, and releases of the tools. If
    the clock is not met, nothing is written, the slowest path is named, and the exit code is 3. For Vivado boards,
    --verilog-only writes Verilog, constraints and a Tcl script, which are checked by Yosys but were not tried on
    hardware.

    With --array pins, line drivers reach memristor arrays by pins of the board's headers; pins.md and pins.csv in DIR
    say which signal is where, and which times it has. A machine of more pins than there are is refused.

    Examples:

        stochastor build --board list
        stochastor build --board icebreaker --preset small --no-counters --out build/icebreaker
        stochastor build --board ulx3s_85f --preset mnist --data mnist --out build/ulx3s
        stochastor build --board arty_a7_100 --preset digits --verilog-only --out build/arty
        stochastor build --board ulx3s_85f --array pins --config array.toml --data random --out build/array
    """
    from ..fpga import boards

    if board == "list":
        _print_boards()
        return
    from ..fpga.building import build as build_target
    from ..fpga.fit import check_fit
    from ..fpga.target import Target

    chosen = boards.board(board)
    if out is None:
        raise ConfigError("--out is missing: give a directory for the files")
    check_json_path(json)
    check_directory(out)
    machine = resolve_config(preset, config)
    if array is not None:
        machine = replace(machine, array_side=array)  # type: ignore[arg-type]
    if baud is not None:
        machine = replace(machine, baud=baud)
    target = Target(
        board=chosen,
        config=machine,
        frequency_MHz=frequency_mhz,
        counters=counters,
        trace=trace,
        memory=memory,
    )
    if verilog_only:
        _write_sources(target, out)
        return
    if chosen.vivado:
        raise ConfigError(f"{chosen.title} is built by Vivado: --verilog-only writes what it takes")
    check_fit(target)
    dataset = load_data(data or DEFAULT_DATA, machine)
    with BuildProgress() as progress:
        done = build_target(target, seeds=range(seed, seed + seeds), jobs=jobs, told=progress.tell)
    figures = _figures(done, target, dataset, samples)
    content = (json_format.dumps(figures, indent=2) + "\n").encode("ascii")
    write_together(out, {**done.files(), MACHINE: machine.to_toml().encode("ascii"), FIGURES: content})
    _print_figures(chosen, machine, figures, out)
    write_json(json, figures)


def _figures(done: "Build", target: "Target", dataset: Dataset, samples: int) -> dict[str, Any]:
    from ..fpga.rates import core_samples_per_second, link_samples_per_second

    cycles = measure_cycles(target.config, dataset, samples)
    clock_MHz = done.sources.clocking.frequency_MHz
    clock_hz = round(clock_MHz * 1e6)
    return {
        "board": target.board.name,
        **done.figures(),
        "cycles_per_sample": round(cycles.per_sample, 1),
        "cycles_counted": cycles.how,
        "core_samples_per_second": round(core_samples_per_second(clock_MHz, cycles.per_sample)),
        "link_samples_per_second": round(link_samples_per_second(target.config, clock_hz), 1),
        **_memory_figures(target, clock_hz, dataset),
        "baud": target.config.baud,
        "counters": target.counters,
        "trace": target.trace,
        "config": target.config.to_dict(),
        "config_sha256": target.config.digest,
    }


def _memory_figures(target: "Target", clock_hz: int, dataset: Dataset) -> dict[str, Any]:
    """What there is to say of a memory, if there is one."""
    from ..fpga.host.coding import lengths
    from ..fpga.rates import replay_samples_per_second
    from ..fpga.sample_store import most_words

    if target.chip is None:
        return {}
    return {
        "replay_samples_per_second": round(replay_samples_per_second(target.config, clock_hz), 1),
        "memory_words": 1 << target.chip.address_bits,
        "memory_samples": (1 << target.chip.address_bits) // most_words(target.config.sizes[0]),
        "training_set_words": int(lengths(dataset.train_features).sum()),
    }


def _write_sources(target: "Target", out: Path) -> None:
    from ..fpga.building import vendor_sources

    board = target.board
    if not board.vivado:
        raise ConfigError(
            f"--verilog-only is for boards of Vivado; for {board.title} the bitstream comes with its Verilog"
        )
    with notices.status("elaborating and checking"):
        sources, files = vendor_sources(target)
    files[MACHINE] = target.config.to_toml().encode("ascii")
    write_together(out, files)
    rows = [(name, f"{len(content):,}") for name, content in files.items()]
    sizes = "-".join(map(str, target.config.sizes))
    title = f"{sizes} for {board.title} at {sources.clocking.frequency_MHz:g} MHz, in {out}"
    output.print(make_table(title, ("file", "bytes"), rows))
    output.print(
        f"checked by Yosys, not tried on hardware; build with: cd {out} && vivado -mode batch -source stochastor.tcl"
    )


def _print_boards() -> None:
    from ..fpga.boards import BOARDS

    rows = [
        (board.name, board.title, f"{board.luts:,}", f"{board.block_rams}", "Vivado" if board.vivado else "nextpnr")
        for board in BOARDS.values()
    ]
    output.print(make_table("boards", ("name", "chip", "luts", "block RAMs", "tools"), rows))


def _print_figures(board: "Board", config: Config, figures: dict[str, Any], out: Path) -> None:
    sizes = "-".join(map(str, config.sizes))
    rows = [
        ("look-up tables", f"{figures['luts']:,} of {board.luts:,}"),
        ("flip-flops", f"{figures['flip_flops']:,}"),
        ("block RAMs", f"{figures['block_rams']} of {board.block_rams}"),
        *([("pins of arrays, see pins.md", f"{len(figures['pins'])}")] if "pins" in figures else []),
        ("clock", f"{figures['frequency_mhz']:g} MHz"),
        ("fastest clock", f"{figures['fmax_mhz']:g} MHz"),
        ("cycles per training sample", f"{figures['cycles_per_sample']:,.1f}"),
        ("training samples per second, core", f"{figures['core_samples_per_second']:,}"),
        ("training samples per second, link", f"{figures['link_samples_per_second']:,}"),
        *_memory_rows(figures),
        ("seed", str(figures["seed"])),
        *((f"{tool}", release) for tool, release in figures["tools"].items()),
    ]
    output.print(make_table(f"{sizes} for {board.title}, written to {out}", ("", ""), rows))
    output.print(f"slowest path: {figures['slowest_path']}", soft_wrap=True)


def _memory_rows(figures: dict[str, Any]) -> list[tuple[str, str]]:
    if "memory_samples" not in figures:
        return []
    return [
        ("training samples per second, replayed", f"{figures['replay_samples_per_second']:,}"),
        ("samples that the memory holds at least", f"{figures['memory_samples']:,}"),
        ("words of the training set", f"{figures['training_set_words']:,} of {figures['memory_words']:,}"),
    ]
