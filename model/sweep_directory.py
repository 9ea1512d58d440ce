"""The directory of a sweep: its plan, the reports of its finished runs, and the tables made of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import RunError
from .files import write_together, write_whole
from .sweep import Plan
from .sweep_run import RunReport, SweepRun


class SweepDirectory:
    """Holds ``sweep.toml`` and ``runs/CASE-SEED.json``; every file is written whole.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    reports : dict of str to RunReport
        Of finished runs, by name.
    damaged : list of Path
        Reports that cannot be read; their runs count as not finished.
    """

    PLAN, RUNS = "sweep.toml", "runs"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reports: dict[str, RunReport] = {}
        self.damaged: list[Path] = []

    def open(self, plan: Plan, source: Path) -> None:
        """Begin the sweep, or go on with what is finished of it.

        Parameters
        ----------
        plan : Plan
        source : Path
            File of the plan; its copy becomes ``sweep.toml``.

        Raises
        ------
        RunError
            If the directory is in use for something else, or holds a finished run that the plan has not, or has
            otherwise. Nothing is written then.
        OSError
            If it cannot be written.
        """
        self._check_ours()
        self._read_reports({run.name: run for run in plan.runs}, source)
        content = source.read_bytes()
        (self.path / self.RUNS).mkdir(parents=True, exist_ok=True)
        write_whole(self.path / self.PLAN, content)

    def add(self, report: RunReport) -> None:
        """Keep the report of a run that is finished.

        Raises
        ------
        RunError
            If the run was trained on other data than the runs before; it is not kept then.
        OSError
            If it cannot be written.
        """
        for other in self.reports.values():
            if _data_shape(other) == _data_shape(report) and other.data_sha256 != report.data_sha256:
                raise RunError(
                    f"{report.run.data} held other data (SHA-256 {report.data_sha256[:12]}...) than when "
                    f"{other.run.name} was trained (SHA-256 {other.data_sha256[:12]}...): put that back, "
                    "or choose another --out"
                )
        write_whole(self.path / self.RUNS / f"{report.run.name}.json", report.to_bytes())
        self.reports[report.run.name] = report

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files made of the reports, all of them or none.

        Raises
        ------
        OSError
            If one cannot be written.
        """
        write_together(self.path, files)

    def _check_ours(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path}: is a file; choose a directory for --out")
        if self.path.is_dir() and any(self.path.iterdir()) and not (self.path / self.PLAN).is_file():
            raise RunError(f"{self.path}: is not empty and holds no sweep; choose another directory for --out")

    def _read_reports(self, planned: Mapping[str, SweepRun], source: Path) -> None:
        for path in sorted((self.path / self.RUNS).glob("*.json")):
            report = RunReport.read(path)
            if report is None:
                self.damaged.append(path)
            elif path.stem not in planned:
                raise RunError(
                    f"{path}: is a finished run that {source} does not ask for: put it back into {source}, "
                    "or choose another --out"
                )
            else:
                _check_same_run(path, report.run, planned[path.stem], source)
                self.reports[path.stem] = report


def _data_shape(report: RunReport) -> tuple[int, int]:
    """What a data set may depend on: `random` has the inputs and classes that the machine takes."""
    return report.run.config.sizes[0], report.run.config.sizes[-1]


def _check_same_run(path: Path, finished: SweepRun, planned: SweepRun, source: Path) -> None:
    for name, value in _flat(planned).items():
        trained = _flat(finished).get(name)
        if trained != value:
            raise RunError(
                f"{path}: was trained with {name} = {trained!r}, but {source} now says {value!r}: put that back, "
                "or choose another --out"
            )


def _flat(run: SweepRun) -> dict[str, Any]:
    values = run.to_dict()
    array = values.pop("array") or {}
    device = array.pop("device", {})
    fields = {f"array.{name}": value for name, value in array.items()}
    fields |= {f"array.device.{name}": value for name, value in device.items()}
    return {**values.pop("config"), **values, **fields}
