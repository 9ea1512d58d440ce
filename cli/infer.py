"""``stochastor infer``: classify the test set with a trained machine."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from ..model.data import Dataset
from ..model.errors import ConfigError
from ..model.run import VOTES, Run
from ..model.trace import weights_sha256
from ..model.trainer import Votes, check_passes, predictions
from ..sim.array.run import AnalogRun, open_run
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
    after_s: Annotated[
        float,
        typer.Option("--after", metavar="SECONDS", help="Classify so long after training, on devices left alone."),
    ] = 0.0,
    json: JsonOption = None,
) -> None:
    """Classify the test set by votes and print accuracy and confusion matrix.

    The data set is the run's own unless --data names another one; its test samples are classified.

    Examples:

        stochastor infer runs/digits
        stochastor infer runs/digits --passes 1 --json figures.json
        stochastor infer runs/gst --after 86400
    """
    check_json_path(json)
    check_passes(passes)
    trained = open_run(run)
    source = data or trained.data.source
    dataset = load_data(source, trained.config)
    with notices.status(f"{passes} passes over {len(dataset.test_labels):,} samples"):
        predicted = predictions(_votes(trained, dataset, passes, after_s))
    figures = classification_figures(dataset, predicted, passes, trained.config.sizes[-1])
    figures |= {
        "data": source,
        "epochs": trained.epoch,
        "after_s": after_s,
        "weights_sha256": weights_sha256(trained.trainer.weights()),
    }
    later = f" and {after_s:,.12g} s" if after_s else ""
    print_classification(figures, f"after {trained.epoch} of {trained.config.epochs} epochs{later}")
    write_json(json, figures)


def _votes(trained: Run, dataset: Dataset, passes: int, after_s: float) -> Votes:
    if isinstance(trained, AnalogRun):
        return trained.trainer.infer(dataset.test_features, passes, after_s)
    if after_s:
        raise ConfigError(f"--after is for machines on an analog array, and {trained.path} is on an exact one")
    return trained.trainer.infer(dataset.test_features, passes)


def classification_figures(dataset: Dataset, predicted: NDArray[np.int64], passes: int, outputs: int) -> dict[str, Any]:
    """What predictions for the test set are worth."""
    confusion = _confusion(dataset.test_labels, predicted, outputs)
    return {
        "accuracy": float(np.mean(predicted == dataset.test_labels)),
        "passes": passes,
        "samples": len(predicted),
        "data": dataset.name,
        "class_accuracy": [
            int(row[label]) / int(row.sum()) if row.any() else None for label, row in enumerate(confusion)
        ],
        "confusion": confusion.tolist(),
    }


def _confusion(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Count samples by label (rows) and prediction (columns)."""
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def print_classification(figures: dict[str, Any], machine: str) -> None:
    """Print accuracy and confusion matrix; `machine` says whose."""
    output.print(
        f"accuracy {percent(figures['accuracy'])} of {figures['samples']:,} test samples of {figures['data']}, "
        f"{figures['passes']} passes, {machine}"
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
