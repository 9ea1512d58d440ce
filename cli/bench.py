"""``stochastor bench``: how fast the machine trains, beside PyTorch and NumPy, and what that depends on."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..model.errors import ConfigError
from .options import ConfigOption, DataOption, JsonOption, PresetOption, load_data, resolve_config
from .report import check_json_path, write_json

if TYPE_CHECKING:
    from ..model.config import Config
    from ..model.data import Dataset


def bench(
    preset: PresetOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    seconds: Annotated[float, typer.Option("--seconds", metavar="S", help="Most seconds of a round.")] = 2.0,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", help="Rounds, whose median counts.", min=1)] = 5,
    hardware: Annotated[
        bool, typer.Option("--hardware/--no-hardware", help="Measure the Verilog in compiled simulation, too.")
    ] = True,
    scaling: Annotated[
        bool, typer.Option("--scaling/--no-scaling", help="Measure how speed grows with rows, columns and layers.")
    ] = True,
    to_accuracy: Annotated[
        float | None,
        typer.Option(
            "--to-accuracy",
            metavar="PERCENT",
            help="Measure instead how long training takes to this test accuracy by 16 votes, and PyTorch at its best.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Measure training speed: the golden model, compiled and plain, its Verilog, PyTorch and NumPy, in one run.

    All train the same samples on one thread with the same shape of network, from their initial weights, in turn; a
    round is the first epoch, or what of it fits S seconds. PyTorch runs the plain loop in float32: zero_grad, forward
    through Linear and Sigmoid layers, cross-entropy, backward, step of SGD; no compile. The limit of bandwidth is what
    training would come to if it did nothing but move the bytes of weights that it touches, as fast as this machine
    moves them. PyTorch is left out where it is not installed: pip install 'stochastor[bench]'.

    Examples:

        stochastor bench
        stochastor bench --preset mnist --data mnist --no-hardware
        stochastor bench --config wide.toml --data mnist --to-accuracy 98.0
    """
    check_json_path(json)
    if not 0 < seconds <= 3600:
        raise ConfigError(f"--seconds must be more than 0 and at most 3600, not {seconds}")
    if to_accuracy is not None and not 0 < to_accuracy < 100:
        raise ConfigError(f"--to-accuracy must be between 0 and 100, not {to_accuracy}")
    chosen = resolve_config(preset, config)
    dataset = load_data(data or "digits", chosen)
    if to_accuracy is not None:
        write_json(json, _measure_time_to(to_accuracy / 100, chosen, dataset))
        return
    write_json(json, _measure_speed(chosen, dataset, seconds, rounds, hardware=hardware, scaling=scaling))


def _measure_speed(
    config: "Config", dataset: "Dataset", seconds: float, rounds: int, *, hardware: bool, scaling: bool
) -> dict[str, Any]:
    from ..model.bandwidth import measure_bandwidth, measure_traffic, weight_bytes
    from ..model.scaling import measure_scaling, shapes
    from ..model.speed import compare
    from . import bench_report as report
    from .contestants import BATCH_1, BATCH_128, MODEL, contestants

    asked = contestants(config, dataset, hardware=hardware)
    steps = len(asked) * (rounds + 1) + 1 + (len(list(shapes())) * 2 if scaling else 0)
    with report.Steps(steps) as progress:
        speeds = compare(asked, seconds=seconds, rounds=rounds, progress=progress)
        progress("bandwidth")
        traffic = measure_traffic(config, dataset.train_features, dataset.train_labels)
        bandwidth = measure_bandwidth(weight_bytes(config))
        points = measure_scaling(config, seconds=seconds / 4, rounds=1, progress=progress) if scaling else []
    limit = traffic.samples_per_second(bandwidth)
    report.print_speeds(config, speeds)
    report.print_bandwidth(traffic, bandwidth, limit, speeds[MODEL])
    report.print_scaling(points)
    report.print_machine()
    model = speeds[MODEL].median
    return {
        "machine": report.machine(),
        "config": config.to_dict(),
        "model_samples_per_second": model,
        "ratio_to_torch_batch1": model / speeds[BATCH_1].median if BATCH_1 in speeds else None,
        "ratio_to_torch_batch128": model / speeds[BATCH_128].median if BATCH_128 in speeds else None,
        "fraction_of_bandwidth_limit": model / limit,
        "speeds": {name: asdict(speed) for name, speed in speeds.items()},
        "traffic_bytes_per_sample": asdict(traffic),
        "bandwidth_bytes_per_second": asdict(bandwidth),
        "scaling": [{"varied": point.varied, "sizes": list(point.sizes), **asdict(point.speed)} for point in points],
        "peak_memory_bytes": report.peak_memory(),
    }


def _measure_time_to(accuracy: float, config: "Config", dataset: "Dataset") -> dict[str, Any]:
    from ..model.rivals import import_torch
    from ..model.time_to_accuracy import BATCHES, OPTIMIZERS, SCHEDULES, best, machine_attempts, torch_attempts
    from . import bench_report as report

    import_torch()
    with report.Steps(len(SCHEDULES) + len(BATCHES) * len(OPTIMIZERS)) as progress:
        machine = machine_attempts(config, dataset, accuracy, progress)
        torch = torch_attempts(config.sizes, dataset, accuracy, progress=progress)
    report.print_attempts(config, accuracy, machine, torch)
    report.print_machine()
    ours, theirs = best(machine), best(torch)
    return {
        "machine": report.machine(),
        "config": config.to_dict(),
        "accuracy": accuracy,
        "model_attempts": [asdict(attempt) for attempt in machine],
        "torch_attempts": [asdict(attempt) for attempt in torch],
        "seconds_to_accuracy": ours.seconds if ours else None,
        "torch_seconds_to_accuracy": theirs.seconds if theirs else None,
        "fraction_of_torch_time": ours.seconds / theirs.seconds if ours and theirs else None,
    }
