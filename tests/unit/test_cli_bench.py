"""``stochastor bench``: what it prints and writes, with and without PyTorch."""

import json
import sys

import pytest
from stochastor.cli import contestants as cast
from stochastor.cli.contestants import BATCH_1, BATCH_128, LOOPS, MODEL, NUMPY_1, NUMPY_128, PLAIN
from stochastor.cli.main import run

QUICK = ("--preset", "tiny", "--seconds", "0.02", "--rounds", "1", "--no-hardware", "--no-scaling")


class Slow:
    """Stands for the PyTorch loop where that need not be installed."""

    def __init__(self, **options):
        self.options = options

    prepare = staticmethod(lambda features, labels: (features, labels))

    def train(self, features, labels):
        sum(range(100_000 * len(labels)))


def bench(*arguments):
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as leaving:
        run(["bench", *map(str, arguments)])
    return leaving.value.code or 0


@pytest.fixture
def no_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)


def test_without_torch_the_rest_is_measured(tmp_path, capsys, no_torch):
    assert bench(*QUICK, "--json", tmp_path / "figures.json") == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert list(figures["speeds"]) == [MODEL, PLAIN, LOOPS, NUMPY_1, NUMPY_128]
    assert figures["model_samples_per_second"] == figures["speeds"][MODEL]["median"] > 0
    assert figures["ratio_to_torch_batch1"] is None
    assert figures["ratio_to_torch_batch128"] is None
    assert figures["fraction_of_bandwidth_limit"] > 0
    assert figures["peak_memory_bytes"] > 1e6
    printed = capsys.readouterr()
    assert "without PyTorch, which is not installed: pip install 'stochastor[bench]'" in printed.err
    assert "samples/s" in printed.out


def test_ratios_are_those_of_the_speeds_printed(tmp_path, monkeypatch):
    monkeypatch.setattr(cast, "has_torch", lambda: True)
    monkeypatch.setattr(cast, "TorchTrainer", Slow)
    assert bench(*QUICK, "--json", tmp_path / "figures.json") == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    for key, name in (("ratio_to_torch_batch1", BATCH_1), ("ratio_to_torch_batch128", BATCH_128)):
        assert figures[key] == figures["model_samples_per_second"] / figures["speeds"][name]["median"]


def test_time_to_an_accuracy_needs_torch(capsys, no_torch):
    assert bench("--preset", "tiny", "--to-accuracy", "50") == 3
    assert "PyTorch is not installed: pip install 'stochastor[bench]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seconds", "0"), "--seconds must be more than 0 and at most 3600, not 0.0"),
        (("--seconds", "nan"), "--seconds must be more than 0"),
        (("--to-accuracy", "100"), "--to-accuracy must be between 0 and 100, not 100.0"),
        (("--json", "/nowhere/figures.json"), "there is no such directory to write --json to"),
    ],
)
def test_impossible_options_are_refused_before_anything_is_measured(capsys, arguments, message):
    assert bench(*arguments) == 2
    assert message in " ".join(capsys.readouterr().err.split())
