"""``stochastor infer``: classify the test set with a trained machine."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from ..model.data import Dataset
from ..model.run import VOTES, Run
from ..model.trace import weights_sha256
from ..model.trainer import check_passes, predictions
from ..sim.array.run import open_run
from .console import make_table, notices, output, percent
from .options import DataOption, JsonOption, load_data
from .report import check_json_path, write_json

CLASSES_SHOWN = 20


def infer(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a run, finished or not.")],
    data: DataOption = None,
    passes: Annotated[
        int, typer.Option("--passes", metavar="T", help="Stochastic passes that vote on a sample, 1 to 255.")
    ] = VOTES,
    json: JsonOption = None,
) -> None:
    """Classify the test set by votes and print accuracy and confusion matrix.

    The data set is the run's own unless --data names another one; its test samples are classified.

    Examples:

        stochastor infer runs/digits
        stochastor infer runs/digits --passes 1 --json figures.json
    """
    check_json_path(json)
    check_passes(passes)
    trained = open_run(run)
    source = data or trained.data.source
    dataset = load_data(source, trained.config)
    with notices.status(f"{passes} passes over {len(dataset.test_labels):,} samples"):
        figures = _figures(trained, dataset, source, passes)
    _print_figures(figures, trained.config.epochs)
    write_json(json, figures)


def _figures(run: Run, dataset: Dataset, source: str, passes: int) -> dict[str, Any]:
    predicted = predictions(run.trainer.infer(dataset.test_features, passes))
    confusion = _confusion(dataset.test_labels, predicted, run.config.sizes[-1])
    return {
        "accuracy": float(np.mean(predicted == dataset.test_labels)),
        "passes": passes,
        "samples": len(predicted),
        "data": source,
        "epochs": run.epoch,
        "weights_sha256": weights_sha256(run.trainer.weights()),
        "class_accuracy": [
            int(row[label]) / int(row.sum()) if row.any() else None for label, row in enumerate(confusion)
        ],
        "confusion": confusion.tolist(),
    }


def _confusion(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Count samples by label (rows) and prediction (columns)."""
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def _print_figures(figures: dict[str, Any], epochs: int) -> None:
    output.print(
        f"accuracy {percent(figures['accuracy'])} of {figures['samples']:,} test samples of {figures['data']}, "
        f"{figures['passes']} passes, after {figures['epochs']} of {epochs} epochs"
    )
    if len(figures["confusion"]) <= CLASSES_SHOWN:
        output.print(_confusion_table(figures))
    else:
        output.print(f"{len(figures['confusion'])} classes are too many for a table here; --json writes them all")


def _confusion_table(figures: dict[str, Any]) -> Table:
    classes = range(len(figures["confusion"]))
    rows = [
        [str(label), "-" if share is None else percent(share), *(str(count or "·") for count in counts)]
        for label, (share, counts) in enumerate(zip(figures["class_accuracy"], figures["confusion"], strict=True))
    ]
    return make_table("label by prediction", ["label", "correct", *map(str, classes)], rows)
