"""What a terminal shows in the minutes of synthesis, place and route."""

import time
from contextlib import AbstractContextManager
from typing import Self

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from .console import notices


class BuildProgress(AbstractContextManager["BuildProgress"]):
    """Shows the stage of a build and for how long it has been on: a spinner on a terminal, a line a stage elsewhere."""

    def __init__(self) -> None:
        self._spinner = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=notices,
            transient=True,
            disable=not notices.is_terminal,
        )
        self._task = self._spinner.add_task("starting", total=None)
        self._stage = ""
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._spinner.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._spinner.stop()

    def tell(self, stage: str) -> None:
        """Show that `stage` has begun; a stage that is on already stays."""
        if stage == self._stage:
            return
        self._stage = stage
        self._spinner.update(self._task, description=stage)
        if self._spinner.disable:
            minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
            notices.print(f"{minutes}:{seconds:02} {stage}")
