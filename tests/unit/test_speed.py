"""Comparisons of speed measure what they say, whatever the clock does."""

import numpy as np
import pytest
from stochastor.model import rivals, speed
from stochastor.model.bandwidth import Bandwidth, Traffic, measure_bandwidth, measure_traffic, weight_bytes
from stochastor.model.config import Config
from stochastor.model.data import load_dataset
from stochastor.model.errors import ToolError
from stochastor.model.scaling import shapes
from stochastor.model.speed import Contestant, compare
from stochastor.model.time_to_accuracy import SCHEDULES, Attempt, best, machine_attempts
from stochastor.model.trainer import Trainer

SECONDS_A_SAMPLE = 0.01


class Clock:
    """A clock that only trainers move."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Pupil:
    """Takes a fixed time for a sample, and remembers what it was given."""

    def __init__(self, clock, log, seconds):
        self.clock, self.log, self.seconds = clock, log, seconds
        self.seen = []
        log.append(self)

    def train(self, features, labels):
        assert len(features) == len(labels)
        self.seen += list(labels)
        self.clock.now += self.seconds * len(labels)

    def close(self):
        self.seen.append("closed")


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(speed, "perf_counter", clock)
    return clock


def contestant(clock, log, seconds=SECONDS_A_SAMPLE, samples=200, step=1):
    return Contestant(
        name=f"{seconds} s",
        make=lambda: Pupil(clock, log, seconds),
        features=np.zeros((samples, 1)),
        labels=np.arange(samples),
        step=step,
    )


def test_a_round_is_the_first_epoch_from_a_new_trainer(clock):
    log = []
    found = compare([contestant(clock, log)], seconds=100, rounds=2)
    assert found["0.01 s"].median == pytest.approx(100)
    assert found["0.01 s"].samples == 200
    assert [pupil.seen for pupil in log] == [[0, "closed"], *[[*range(200), "closed"]] * 2]


def test_a_slow_contestant_stops_when_the_time_is_over(clock):
    log = []
    found = compare([contestant(clock, log, seconds=1.0)], seconds=10, rounds=1)
    assert found["1.0 s"].median == pytest.approx(1)
    assert found["1.0 s"].samples == len(log[-1].seen) - 1 == 15


def test_short_epochs_are_repeated_from_the_start(clock):
    log = []
    found = compare([contestant(clock, log, seconds=0.001, samples=100)], seconds=100, rounds=1)
    assert found["0.001 s"].samples == 100
    assert [len(pupil.seen) - 1 for pupil in log] == [1, 100, 100, 100]


def test_samples_come_in_whole_batches(clock):
    log = []
    compare([contestant(clock, log, samples=128, step=32)], seconds=100, rounds=1)
    assert [label for label in log[-1].seen if label != "closed"] == list(range(128))


def test_all_contestants_take_part_in_every_round(clock):
    log, order = [], []
    asked = [contestant(clock, log), contestant(clock, log, seconds=0.02)]
    compare(asked, seconds=100, rounds=3, progress=order.append)
    assert order == ["0.01 s", "0.02 s"] * 4


def test_traffic_is_the_bytes_of_the_rows_of_the_traces():
    config = Config(sizes=(6, 40, 3))
    data = load_dataset("random", inputs=6, outputs=3)
    features, labels = data.train_features[:30], data.train_labels[:30]
    read = updated = 0
    for trace in Trainer(config).train(features, labels):
        first, second = trace.layers
        read += 64 * len(first.rows) + 32 * len(second.rows) + 32 * len(first.sensed)  # columns padded to 32, 8 bits
        updated += 64 * len(first.pulsed) + 32 * len(second.pulsed)
    traffic = measure_traffic(config, features, labels)
    assert (traffic.read * 30, traffic.updated * 30) == pytest.approx((read, updated))


def test_weights_of_more_bits_are_more_bytes():
    assert weight_bytes(Config(sizes=(6, 40, 3))) == 7 * 64 + 41 * 32
    assert weight_bytes(Config(sizes=(6, 40, 3), weight_bits=10)) == 2 * (7 * 64 + 41 * 32)


def test_the_limit_is_the_time_that_the_bytes_take():
    limit = Traffic(read=100, updated=50).samples_per_second(Bandwidth(read=1000, updated=500))
    assert limit == pytest.approx(5)


def test_bandwidth_is_measured(monkeypatch):
    monkeypatch.setattr("stochastor.model.bandwidth.STREAM_SECONDS", 0.002)
    bandwidth = measure_bandwidth(10_000)
    assert bandwidth.read > 1e8
    assert bandwidth.updated > 1e8


def test_shapes_vary_one_thing_at_a_time():
    asked = list(shapes())
    assert [sizes[0] for varied, sizes in asked if varied == "rows"] == [196, 392, 784, 1568]
    assert [sizes[1] for varied, sizes in asked if varied == "columns"] == [64, 128, 256, 512, 1024]
    assert [len(sizes) - 1 for varied, sizes in asked if varied == "layers"] == [1, 2, 3, 4]


def test_schedules_grow_until_one_reaches_the_accuracy():
    config = Config(sizes=(64, 32, 10))
    attempts = machine_attempts(config, load_dataset("digits"), 0.8)
    assert [attempt.epochs for attempt in attempts] == list(SCHEDULES[: len(attempts)])
    assert [attempt.reached for attempt in attempts] == [False] * (len(attempts) - 1) + [True]
    assert attempts[-1].accuracy >= 0.8


def test_the_best_attempt_is_the_fastest_that_reached_the_accuracy():
    fast, slow, failed = (
        Attempt(settings="", epochs=1, seconds=seconds, accuracy=0.9, reached=reached)
        for seconds, reached in ((2.0, True), (3.0, True), (1.0, False))
    )
    assert best([slow, failed, fast]) is fast
    assert best([failed]) is None


def test_without_torch_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert not rivals.has_torch()
    with pytest.raises(ToolError, match="PyTorch is not installed: pip install"):
        rivals.TorchTrainer(sizes=(6, 3), batch=1)
