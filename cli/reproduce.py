"""``stochastor reproduce``: make the tables and pictures of docs/results.md again."""

from pathlib import Path
from typing import Annotated

import typer

from .options import JsonOption
from .report import check_json_path, write_json

NAMES = "mnist, fashion, ablations"


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
    json: JsonOption = None,
) -> None:
    """Train what a table of docs/results.md compares, with all its seeds, and make the table and its picture.

    Each training that ends is kept in DIR, so that an interrupted reproduction goes on where it was. Figures are means
    over seeds; trainings are one thread each.

    Examples:

        stochastor reproduce mnist
        stochastor reproduce fashion --data idx:/usr/share/datasets/fashion-mnist --workers 1
        stochastor reproduce ablations --into docs/results.md
    """
    from ..model.studies import find_study
    from .reproducing import Reproduction
    from .study_picture import draw_study
    from .study_report import insert_section, markdown, to_dict

    check_json_path(json)
    study = find_study(name)
    outcomes = Reproduction(study, out, data).perform(workers)
    table = markdown(study, outcomes)
    typer.echo(table)
    typer.echo(f"picture: {draw_study(out, study, outcomes)}", err=True)
    if into is not None:
        insert_section(into, study, table)
    write_json(json, to_dict(study, outcomes))
