"""``stochastor reproduce``: make the tables and pictures of docs/results.md and docs/devices.md again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import JsonOption
from .report import check_json_path, write_json

if TYPE_CHECKING:
    from ..model.study import Study
    from .reproducing import Outcomes

NAMES = "mnist, fashion, ablations, devices, nonidealities, remedies"


def reproduce(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"What to reproduce: {NAMES}.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Directory of finished trainings, the table and the picture.")
    ] = Path("build/results"),
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="SOURCE", help="Where the data set is, for example idx:DIR, instead of a download."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Trainings at a time; a core each by default."),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="FILE.md", help="Put the table into this file, in its place between marks."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="On digits, a few epochs and one seed; for studies of devices.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Train what a table of the documentation compares, with all its seeds, and make the table and its pictures.

    Each training that ends is kept in DIR, so that an interrupted reproduction goes on where it was. Figures are means
    over seeds; trainings are one thread each. devices compares machine and backpropagation in situ on every array
    preset, with their pulses and their energy, and draws pulse curves; nonidealities varies one at a time; remedies
    tries what helps against mismatch and soft bounds.

    Examples:

        stochastor reproduce mnist
        stochastor reproduce fashion --data idx:/usr/share/datasets/fashion-mnist --workers 1
        stochastor reproduce ablations --into docs/results.md
        stochastor reproduce devices --quick
    """
    from .reproducing import Reproduction
    from .study_report import insert_section, to_dict

    check_json_path(json)
    study = _find(name, quick)
    outcomes = Reproduction(study, out, data).perform(workers)
    table = _markdown(name, study, outcomes)
    typer.echo(table)
    for picture in _draw(name, out, study, outcomes):
        typer.echo(f"picture: {picture}", err=True)
    if into is not None:
        insert_section(into, study, table)
    write_json(json, to_dict(study, outcomes))


def _find(name: str, quick: bool) -> "Study":
    from ..model.errors import ConfigError
    from ..model.studies import find_study
    from ..sim.array.studies import DEVICE_STUDIES, find_device_study

    if name in DEVICE_STUDIES:
        return find_device_study(name, quick)
    if quick:
        raise ConfigError(f"--quick is for {', '.join(DEVICE_STUDIES)}, not for {name}")
    return find_study(name)


def _markdown(name: str, study: "Study", outcomes: "Outcomes") -> str:
    from .device_report import devices_markdown, nonidealities_markdown, remedies_markdown
    from .study_report import markdown

    tables = {
        "devices": devices_markdown,
        "nonidealities": nonidealities_markdown,
        "remedies": remedies_markdown,
    }
    return tables.get(name, markdown)(study, outcomes)


def _draw(name: str, out: Path, study: "Study", outcomes: "Outcomes") -> list[Path]:
    """Draw the pictures of a study into `out`; returns the files."""
    from ..sim.array.config import ARRAYS
    from .device_study_picture import draw_devices, draw_nonidealities, draw_pulse_trains
    from .study_picture import draw_study

    path = out / f"{study.name}.png"
    if name == "devices":
        curves = out / "pulse_curves.png"
        draw_devices(path, study, outcomes)
        draw_pulse_trains(curves, ARRAYS)
        return [path, curves]
    if name == "nonidealities":
        draw_nonidealities(path, study, outcomes)
        return [path]
    if name == "remedies":
        return []
    return [draw_study(out, study, outcomes)]
