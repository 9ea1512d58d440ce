"""``stochastor infer``: votes of a trained machine, counted."""

import json
from dataclasses import replace

import numpy as np
import pytest
from stochastor.cli.main import run
from stochastor.model.config import Config
from stochastor.model.data import Dataset, load_dataset
from stochastor.model.run import Run
from stochastor.model.trainer import predictions
from stochastor.sim.array.config import ArrayConfig
from stochastor.sim.array.run import AnalogRun

CONFIG = Config(sizes=(64, 12, 10), epochs=1)


def infer(*arguments):
    """Exit code of ``stochastor infer``."""
    with pytest.raises(SystemExit) as leaving:
        run(["infer", *map(str, arguments)])
    return leaving.value.code or 0


@pytest.fixture(scope="module")
def dataset():
    digits = load_dataset("digits")
    return Dataset(
        name="small",
        train_features=digits.train_features[:150],
        train_labels=digits.train_labels[:150],
        test_features=digits.test_features[:40],
        test_labels=digits.test_labels[:40] % 9,
    )


@pytest.fixture(scope="module")
def source(dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "small.npz"
    arrays = ("train_features", "train_labels", "test_features", "test_labels")
    np.savez(path, **{name: getattr(dataset, name) for name in arrays})
    return f"npz:{path}"


@pytest.fixture(scope="module")
def trained(dataset, source, tmp_path_factory):
    run = Run.create(tmp_path_factory.mktemp("runs") / "run", CONFIG, dataset, source)
    run.train(dataset)
    return run


@pytest.mark.parametrize("passes", [1, 16])
def test_the_accuracy_is_that_of_the_golden_models_votes(trained, dataset, tmp_path, passes):
    assert infer(trained.path, "--passes", passes, "--json", tmp_path / "figures.json") == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    predicted = predictions(trained.trainer.infer(dataset.test_features, passes))
    assert figures["accuracy"] == np.mean(predicted == dataset.test_labels)
    assert (figures["passes"], figures["samples"]) == (passes, 40)


def test_the_confusion_counts_labels_by_predictions(trained, dataset, tmp_path):
    assert infer(trained.path, "--json", tmp_path / "figures.json") == 0
    confusion = json.loads((tmp_path / "figures.json").read_text())["confusion"]
    predicted = predictions(trained.trainer.infer(dataset.test_features, 16))
    pairs = list(zip(dataset.test_labels.tolist(), predicted.tolist(), strict=True))
    assert confusion == [[pairs.count((label, answer)) for answer in range(10)] for label in range(10)]


def test_a_class_without_samples_has_no_accuracy(trained, tmp_path):
    assert infer(trained.path, "--json", tmp_path / "figures.json") == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["class_accuracy"][9] is None
    assert all(0 <= share <= 1 for share in figures["class_accuracy"][:9])


def test_accuracy_and_confusion_are_printed(trained, capsys):
    assert infer(trained.path) == 0
    printed = capsys.readouterr().out
    assert "of 40 test samples" in printed
    assert "label by prediction" in printed


def test_an_unfinished_run_infers(dataset, source, tmp_path, capsys):
    Run.create(tmp_path / "run", CONFIG, dataset, source)
    assert infer(tmp_path / "run") == 0
    assert "after 0 of 1 epochs" in capsys.readouterr().out


def test_inference_leaves_the_run_as_it_was(trained):
    before = {path.name: path.read_bytes() for path in trained.path.iterdir()}
    assert infer(trained.path) == 0
    assert {path.name: path.read_bytes() for path in trained.path.iterdir()} == before


def test_other_data_can_be_classified(trained, tmp_path):
    assert infer(trained.path, "--data", "random", "--passes", 1, "--json", tmp_path / "figures.json") == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert (figures["data"], figures["samples"]) == ("random", 200)


def test_an_array_is_classified_with_as_it_is_later(dataset, source, tmp_path, capsys):
    base = ArrayConfig()
    array = replace(base, device=replace(base.device, drift=0.5, drift_spread=0.2), tick_samples=10)
    trained = AnalogRun.create_on(tmp_path / "run", replace(CONFIG, weight_bits=4), array, dataset, source)
    trained.train(dataset)
    assert infer(trained.path, "--after", "1e6", "--json", tmp_path / "figures.json") == 0
    assert "after 1 of 1 epochs and 1,000,000 s" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    predicted = predictions(trained.trainer.infer(dataset.test_features, 16, 1e6))
    assert figures["accuracy"] == np.mean(predicted == dataset.test_labels)
    assert not np.array_equal(predicted, predictions(trained.trainer.infer(dataset.test_features, 16)))


def test_more_classes_than_a_table_holds_are_not_printed(tmp_path, capsys):
    config = Config(sizes=(4, 30), epochs=1)
    Run.create(tmp_path / "run", config, load_dataset("random", inputs=4, outputs=30), "random")
    assert infer(tmp_path / "run", "--passes", 1) == 0
    assert "30 classes are too many for a table" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("{run}", "--passes", "0"), "passes must be from 1 to 255, not 0"),
        (("{run}", "--passes", "256"), "passes must be from 1 to 255, not 256"),
        (("{run}", "--data", "npz:none.npz"), "none.npz: cannot be read"),
        (("{run}/none",), "none: there is no such run"),
        (("{run}", "--after", "1"), "--after is for machines on an analog array"),
    ],
)
def test_a_mistake_is_one_line(trained, capsys, options, message):
    assert infer(*(option.replace("{run}", str(trained.path)) for option in options)) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err
