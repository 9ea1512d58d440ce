"""What the terminal sees: results on the standard output, progress and errors on the standard error stream."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ..model.run import Run

# Whatever is printed may hold a path of the user's, which must not be taken for markup.
_PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": True}
output = Console(**_PLAIN)
notices = Console(**_PLAIN, stderr=True)


def print_error(message: str) -> None:
    """Tell in one line what is wrong."""
    notices.print(Text.assemble(("error: ", "bold red"), " ".join(message.split())))


def percent(share: float) -> str:
    """A share of 0 to 1 as text."""
    return f"{100 * share:.2f} %"


def make_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table whose first column holds names and the others numbers; without a header if no column has a name."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_header=any(columns))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    return table


class TrainingProgress(AbstractContextManager["TrainingProgress"]):
    """Shows how far a run is: a bar on a terminal, a line for every epoch that is evaluated elsewhere.

    Call it with the run, as `Run.train` does.
    """

    def __init__(self, run: Run) -> None:
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[accuracy]}"),
            console=notices,
            transient=True,
            disable=not notices.is_terminal,
        )
        self._epochs_shown = run.epoch
        self._task = self._bar.add_task(
            "train",
            total=run.config.epochs * run.data.train_samples,
            completed=run.samples_trained,
            epochs=run.config.epochs,
            **_fields(run),
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def __call__(self, run: Run) -> None:
        self._bar.update(self._task, completed=run.samples_trained, **_fields(run))
        evaluated = bool(run.history) and run.history[-1].epoch > self._epochs_shown
        if self._bar.disable and evaluated:
            notices.print(f"epoch {run.epoch}/{run.config.epochs}: {_accuracies(run)}")
        self._epochs_shown = run.epoch


@contextmanager
def sample_progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; the function it gives takes the number of samples done."""
    bar = Progress(
        TextColumn(what),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=notices,
        transient=True,
        disable=not notices.is_terminal,
    )
    task = bar.add_task(what, total=total)
    with bar:
        yield lambda done: bar.update(task, completed=done)


def _fields(run: Run) -> dict[str, Any]:
    return {"epoch": min(run.epoch + 1, run.config.epochs), "accuracy": _accuracies(run)}


def _accuracies(run: Run) -> str:
    if not run.history:
        return ""
    last = run.history[-1]
    return f"machine {percent(last.test_accuracy_votes16)}, baseline {percent(last.baseline_test_accuracy)}"
