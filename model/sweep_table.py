"""The figures of a sweep as rows: one for each run and number of votes, and one for each case."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from statistics import fmean, stdev
from typing import Any

from .sweep import Case, Plan, as_cell
from .sweep_run import RunReport, SweepRun

Row = dict[str, Any]


def result_rows(plan: Plan, reports: Mapping[str, RunReport]) -> list[Row]:
    """A row for each finished run and number of passes, in the order of the plan.

    Parameters
    ----------
    plan : Plan
    reports : mapping of str to RunReport
        By name of the run; runs without a report have no rows.

    Returns
    -------
    list of dict
        All with the same keys: case, every field that the plan varies, seed, passes, accuracy, baseline_accuracy
        (None without a baseline), evaluated_on (test or validation), evaluated_samples, epochs, train_samples,
        samples_trained, seconds, samples_per_second, weights_sha256 and config_sha256.
    """
    cases = {case.name: case for case in plan.cases}
    return [
        _row(plan, cases[run.case], run, reports[run.name], passes)
        for run in plan.runs
        if run.name in reports
        for passes in plan.passes
    ]


def summary_rows(plan: Plan, reports: Mapping[str, RunReport]) -> list[Row]:
    """A row for each case and number of passes: accuracy over its finished seeds.

    Returns
    -------
    list of dict
        With keys case, every field that the plan varies, passes, seeds (how many), accuracy (the mean),
        accuracy_deviation (standard deviation over seeds, None of a single one), accuracy_min, accuracy_max,
        baseline_accuracy (mean or None), and samples_per_second (mean).
    """
    rows = sorted(result_rows(plan, reports), key=lambda row: row["passes"])
    order = {case.name: index for index, case in enumerate(plan.cases)}
    rows.sort(key=lambda row: order[row["case"]])
    return [
        _summary(plan, list(group)) for _, group in groupby(rows, key=lambda row: (order[row["case"]], row["passes"]))
    ]


def _row(plan: Plan, case: Case, run: SweepRun, report: RunReport, passes: int) -> Row:
    fields, result = case.fields(), report.result
    return {
        "case": run.case,
        **{name: as_cell(fields.get(name)) for name in plan.varied},
        "seed": run.config.seed,
        "passes": passes,
        "accuracy": result.accuracy[passes],
        "baseline_accuracy": result.baseline_accuracy,
        "evaluated_on": plan.evaluated_on,
        "evaluated_samples": report.evaluated_samples,
        "epochs": run.config.epochs,
        "train_samples": report.train_samples,
        "samples_trained": result.samples_trained,
        "seconds": result.seconds,
        "samples_per_second": result.samples_per_second,
        "weights_sha256": result.weights_sha256,
        "config_sha256": run.config.digest,
    }


def _summary(plan: Plan, rows: Sequence[Row]) -> Row:
    accuracies = [row["accuracy"] for row in rows]
    baseline = [row["baseline_accuracy"] for row in rows if row["baseline_accuracy"] is not None]
    return {
        **{name: rows[0][name] for name in ("case", *plan.varied, "passes")},
        "seeds": len(rows),
        "accuracy": fmean(accuracies),
        "accuracy_deviation": stdev(accuracies) if len(rows) > 1 else None,
        "accuracy_min": min(accuracies),
        "accuracy_max": max(accuracies),
        "baseline_accuracy": fmean(baseline) if baseline else None,
        "samples_per_second": fmean(row["samples_per_second"] for row in rows),
    }
