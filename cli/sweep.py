"""``stochastor sweep``: many machines and seeds, one table and one picture."""

import io
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from ..model.errors import ConfigError, RunError, ToolError
from ..model.interruption import Interrupted, Interruption
from ..model.sweep import CASE_AXIS, Case, Plan, as_cell
from ..model.sweep_directory import SweepDirectory
from ..model.sweep_run import RunReport, SweepRun
from ..model.sweep_table import Row, result_rows, summary_rows
from ..sim.array.sweep import SweptArrays
from .console import make_table, notices, output, percent
from .options import JsonOption
from .report import check_json_path, write_json
from .sweep_picture import draw_sweep
from .sweep_progress import SweepProgress
from .sweeping import Workers, check_extra

TABLE_CSV, TABLE_PARQUET, PICTURE = "results.csv", "results.parquet", "results.png"
MACHINES_SHOWN = 40


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML file: which machines, seeds and data.")],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Directory for the sweep, new or to go on with.", show_default=False),
    ],
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Address of a Dask scheduler, tcp://HOST:PORT, whose workers to use instead of this machine.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            help="Processes on this machine; by default one a core.",
            min=1,
            show_default=False,
        ),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Train many machines, each with several seeds, and put their accuracies into one table and one picture.

    FILE has `data`, `seeds`, a `preset` or a table `[config]` as the base, a table `[grid]` of fields and lists of
    values (every combination is a machine), tables `[[cases]]` of fields that belong together (each with every
    combination of the grid), `passes` (votes to report), `validation = N` (evaluate on the last N training samples;
    the test set takes no part) and `baseline = true` (train the float baseline, too). With `array = "taox"`, another
    preset or a TOML file the machines are on analog arrays, whose fields go into `[grid]` and `[[cases]]` by dotted
    names, as in array.toml; their seeds are those of the runs.

    DIR then holds sweep.toml, runs/CASE-SEED.json, results.csv, results.parquet and results.png. The same command goes
    on where an interrupted one stopped; runs may be added to FILE meanwhile. Runs go to Dask workers; one that is lost
    costs only the run it was at.

    Examples:

        stochastor sweep widths.toml --out runs/widths
        stochastor sweep widths.toml --out runs/widths --scheduler tcp://server:8786

    A FILE with six machines and three seeds each:

        preset = "tiny"
        seeds = [0, 1, 2]
        [grid]
        weight_bits = [6, 8, 10]
        gate = ["random_window", "xor"]

    A FILE of four devices that differ in their read noise:

        array = "taox"
        [config]
        sizes = [64, 32, 10]
        weight_bits = 7
        [grid]
        array.device.read_noise = [0.0, 0.02, 0.05, 0.1]
    """
    check_json_path(json)
    if scheduler is not None and workers is not None:
        raise ConfigError("--workers is for this machine: it cannot be given with --scheduler")
    plan = Plan.from_toml(file, SweptArrays())
    check_extra()
    directory = SweepDirectory(out)
    directory.open(plan, file)
    command = shlex.join(["stochastor", "sweep", str(file), "--out", str(out), *_where(scheduler, workers)])
    failed = _perform(plan, directory, Workers(scheduler, workers), command)
    if directory.reports:
        directory.write(_results(plan, directory.reports))
        notices.print(f"wrote {out}: {TABLE_CSV}, {TABLE_PARQUET}, {PICTURE}")
        _print_summary(plan, directory.reports)
    write_json(json, _figures(plan, directory.reports, failed))
    if failed:
        raise RunError(f"{len(failed)} of {len(plan.runs)} runs failed, see above; tried again by: {command}")


def _where(scheduler: str | None, workers: int | None) -> list[str]:
    if scheduler is not None:
        return ["--scheduler", scheduler]
    return [] if workers is None else ["--workers", str(workers)]


def _perform(plan: Plan, directory: SweepDirectory, workers: Workers, command: str) -> dict[str, str]:
    """Perform what is not finished yet; returns what failed, and why."""
    waiting = _waiting(plan, directory)
    if not waiting:
        return {}
    with Interruption() as interruption:
        try:
            with workers:
                return _perform_waiting(plan, directory, workers, waiting, interruption)
        except KeyboardInterrupt as interrupt:
            notices.print(f"interrupted, {_count(plan, directory)} finished; go on with: {command}")
            raise typer.Exit(interrupt.exit_code if isinstance(interrupt, Interrupted) else 130) from None


def _perform_waiting(
    plan: Plan, directory: SweepDirectory, workers: Workers, waiting: Sequence[SweepRun], interruption: Interruption
) -> dict[str, str]:
    failed: dict[str, str] = {}
    if not workers.count:
        notices.print("the scheduler has no workers yet: waiting for some")
    with SweepProgress(plan.runs, directory.reports) as progress:
        try:
            for run, outcome in workers.perform(waiting, progress.tell):
                with interruption.held():
                    _keep(directory, run, outcome, failed)
                _tell_end(progress, run, outcome, failed)
        except ToolError as error:
            raise ToolError(f"{error}; {_count(plan, directory)} finished, the same command goes on") from None
    return failed


def _waiting(plan: Plan, directory: SweepDirectory) -> list[SweepRun]:
    for path in directory.damaged:
        notices.print(f"{path}: is damaged; its run is performed again")
    if directory.reports:
        notices.print(f"{directory.path}: {_count(plan, directory)} finished before")
    return [run for run in plan.runs if run.name not in directory.reports]


def _count(plan: Plan, directory: SweepDirectory) -> str:
    return f"{len(directory.reports)} of {len(plan.runs)} runs"


def _keep(directory: SweepDirectory, run: SweepRun, outcome: RunReport | str, failed: dict[str, str]) -> None:
    if isinstance(outcome, str):
        failed[run.name] = outcome
        return
    try:
        directory.add(outcome)
    except RunError as error:
        failed[run.name] = str(error)


def _tell_end(progress: SweepProgress, run: SweepRun, outcome: RunReport | str, failed: Mapping[str, str]) -> None:
    if isinstance(outcome, str) or run.name in failed:
        progress.end(run.name, failed[run.name], failed=True)
    else:
        progress.end(run.name, percent(outcome.result.accuracy[run.passes[-1]]))


def _results(plan: Plan, reports: Mapping[str, RunReport]) -> dict[str, bytes]:
    import pandas

    frame = pandas.DataFrame(result_rows(plan, reports)).astype({"baseline_accuracy": "float64"})
    parquet = io.BytesIO()
    frame.to_parquet(parquet, engine="pyarrow", index=False)
    return {
        TABLE_CSV: frame.to_csv(index=False, lineterminator="\n").encode("utf-8"),
        TABLE_PARQUET: parquet.getvalue(),
        PICTURE: draw_sweep(plan, reports),
    }


def _print_summary(plan: Plan, reports: Mapping[str, RunReport]) -> None:
    """Print a line for each machine: its place on the axes, and its accuracies over seeds."""
    names = list(plan.axes) or [CASE_AXIS]
    votes = [f"{passes} {'vote' if passes == 1 else 'votes'}" for passes in plan.passes]
    columns = [*names, *votes, "deviation", *(["baseline"] if plan.baseline else [])]
    summaries: dict[str, dict[int, Row]] = {}
    for row in summary_rows(plan, reports):
        summaries.setdefault(row["case"], {})[row["passes"]] = row
    shown = [case for case in plan.cases if case.name in summaries]
    if len(shown) > MACHINES_SHOWN:
        shown.sort(key=lambda case: -summaries[case.name][plan.passes[-1]]["accuracy"])
        notices.print(f"the best {MACHINES_SHOWN} of {len(shown)} machines are shown, {TABLE_CSV} has all")
    rows = [_cells(case, names, summaries[case.name]) for case in shown[:MACHINES_SHOWN]]
    table = make_table(f"{plan.data}: {plan.evaluated_on} accuracy (%), mean over seeds", columns, rows)
    for column in table.columns:
        column.overflow = "fold"
    output.print(table)


def _cells(case: Case, names: Sequence[str], summary: Mapping[int, Row]) -> list[str]:
    place = {CASE_AXIS: case.name, **case.place}
    last = summary[max(summary)]
    figures = [row["accuracy"] for row in summary.values()] + [last["accuracy_deviation"]]
    if last["baseline_accuracy"] is not None:
        figures.append(last["baseline_accuracy"])
    return [
        *(str(as_cell(place[name])) for name in names),
        *("-" if figure is None else f"{100 * figure:.2f}" for figure in figures),
    ]


def _figures(plan: Plan, reports: Mapping[str, RunReport], failed: Mapping[str, str]) -> dict[str, Any]:
    """The figures as --json takes them."""
    return {
        "version": version("stochastor"),
        "data": plan.data,
        "evaluated_on": plan.evaluated_on,
        "axes": {name: [as_cell(value) for value in values] for name, values in plan.axes.items()},
        "runs": len(plan.runs),
        "finished": len(reports),
        "failed": dict(failed),
        "cases": summary_rows(plan, reports),
        "results": result_rows(plan, reports),
    }
