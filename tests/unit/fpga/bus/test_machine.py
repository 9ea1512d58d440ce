"""The machine behind registers and streams, gate by gate: small, for the benches of the buses do the same at length."""

import numpy as np
import pytest
from mutation import mutate
from stochastor.fpga.bus import counter_bank, machine, register_file, sample_buffer, words
from stochastor.fpga.bus.host import BusMachine
from stochastor.fpga.bus.registers import SAMPLE_HEADER, register_map
from stochastor.model.config import Config
from stochastor.model.errors import BoardError, ConfigError, StochastorError
from stochastor.model.trainer import Trainer

from .interpreted import InterpretedMachine

CONFIG = Config(sizes=(6, 3), scale=4, weight_bits=5, pixels_per_beat=2)
rng = np.random.default_rng(3)
WIDE = rng.integers(0, 256, (6, 22), dtype=np.uint8)
FEATURES = WIDE[:, :6]
LABELS = rng.integers(0, 3, 6)


def check_training_and_weights(config=CONFIG):
    """Train and read, by streams and by registers; whether all of it is the model's."""
    features = WIDE[:, : config.sizes[0]]
    model = Trainer(config)
    model.load([matrix[::-1].copy() for matrix in model.weights()])
    interpreted = InterpretedMachine(config, model.weights())
    host = interpreted.host(config)
    for part in (slice(0, 2), slice(2, 3)):
        fired = host.train(features[part], LABELS[part], 1)
        traces = model.train(features[part], LABELS[part], 1)
        np.testing.assert_array_equal(fired, [trace.outputs for trace in traces])
    # Samples as fast as they can be taken, results so slowly that the machine must wait.
    interpreted.stalls, interpreted.result_stalls = 0, 0.95
    np.testing.assert_array_equal(host.infer(features, 1), model.infer(features, 1))
    host = interpreted.host(config, streams=False)
    model.load([-matrix[:, ::-1] for matrix in model.weights()])
    host.load([-matrix[:, ::-1] for matrix in host.weights()])
    np.testing.assert_array_equal(host.infer(features[:2], 2), model.infer(features[:2], 2))
    host.train(features[3:4], LABELS[3:4])
    model.train(features[3:4], LABELS[3:4])
    np.testing.assert_array_equal(host.weights()[0], model.weights()[0])
    assert host.generator_states() == model.generator_states()
    assert host.samples_trained == 4
    counters = host.counters()
    assert counters.pop("busy_cycles")
    assert counters == model.counts.to_dict()


@pytest.mark.parametrize(("pixels_per_beat", "inputs"), [(1, 6), (4, 6), (8, 6), (16, 22)])
def test_host_and_gates_agree_with_the_model_however_wide_a_beat_is(pixels_per_beat, inputs):
    check_training_and_weights(Config(sizes=(inputs, 3), scale=4, weight_bits=5, pixels_per_beat=pixels_per_beat))


def test_a_reset_keeps_cells_and_ends_the_result_that_is_being_sent():
    interpreted = InterpretedMachine(CONFIG)
    host, model = interpreted.host(CONFIG), Trainer(CONFIG)
    host.train(FEATURES[:2], LABELS[:2])
    model.train(FEATURES[:2], LABELS[:2])
    host.set("packet", results=1)
    host.set("control", run=1, streams=1)
    header = SAMPLE_HEADER.word(infer=1, reseed=1, passes=1)
    interpreted.send([header, 1, 2, header, 3, 4])
    while not interpreted.from_stream:
        host.get("status")
    host.reset()
    for _ in range(30):
        host.get("status")
    assert [last for _, last in interpreted.from_stream][:3] == [0, 0, 1]
    assert len(interpreted.from_stream) % 3 == 0
    assert host.samples_trained == 0
    assert host.generator_states() == Trainer(CONFIG).generator_states()
    np.testing.assert_array_equal(host.weights()[0], model.weights()[0])
    assert set(np.concatenate([np.atleast_1d(count) for count in host.counters().values()])) == {0}


def test_an_abort_drops_what_has_not_begun_and_no_half_sample_is_trained():
    interpreted = InterpretedMachine(CONFIG)
    host, model = interpreted.host(CONFIG, streams=False), Trainer(CONFIG)
    host.set("control", run=0)
    for word in (0, 1, 2, 0, 3):
        host.set("sample", value=word)
    assert not host.fields("status")["empty"]
    host.abort()
    assert host.fields("status")["empty"]
    host.set("control", run=1)
    host.train(FEATURES[:2], LABELS[:2])
    model.train(FEATURES[:2], LABELS[:2])
    np.testing.assert_array_equal(host.weights()[0], model.weights()[0])


def test_an_interrupt_comes_while_its_cause_lasts():
    interpreted = InterpretedMachine(CONFIG)
    host = interpreted.host(CONFIG, streams=False)

    def irq():
        for _ in range(2):
            host.get("status")
        return bool(interpreted.irq)

    host.set("interrupt", result=1)
    assert not irq()
    for word in (0, 0, 0):
        host.set("sample", value=word)
    while host.get("waiting") < 3:
        pass
    assert irq()
    for _ in range(3):
        host.get("result")
    assert not irq()
    host.set("interrupt", error=1)
    assert not irq()
    host.get("result")
    assert irq()
    host.set("errors", underflow=1)
    assert not irq()
    host.set("interrupt", done=1)
    assert irq()
    host.set("sample", value=0)
    assert not irq()
    host.abort()
    assert irq()


@pytest.mark.parametrize(
    ("register", "value", "error", "message"),
    [
        ("identity", 5, BoardError, "there is no stochastor at this address"),
        ("version", 9 << 24, BoardError, "registers of layout 9, not 1"),
        ("config3", 0, ConfigError, f"not {CONFIG.digest}"),
    ],
)
def test_another_machine_is_refused(register, value, error, message):
    wanted = register_map(CONFIG, streams=True)
    words_there = {offset: definition.reset for _, offset, definition in wanted.words()}
    words_there[wanted.offsets[register]] = value
    with pytest.raises(error, match=message):
        BusMachine(words_there.__getitem__, lambda offset, word: None, CONFIG)


# Class, method, the code as it is, the code as it is not.
MUTATIONS = [
    (sample_buffer.SampleBuffer, "elaborate", "start.eq(following)", "start.eq(start + 1)"),
    (sample_buffer.SampleBuffer, "elaborate", "(self.room != 0) & ~self.drop", "1"),
    (words.SampleWords, "elaborate", "header[field.low :", "header[field.low + 1 :"),
    (words.SampleWords, "_make_beats", "transferred & ends", "ends"),
    (words.SampleWords, "elaborate", "called.eq(sideband.number + 1)", "called.eq(0)"),
    (words.ResultWords, "elaborate", "Mux(ends_packet, 0, packed + 1)", "0"),
    (machine.RegisteredTrainer, "elaborate", "words.result_buffer - words.result)", "words.result_buffer)"),
    (machine.RegisteredTrainer, "_number", "position + 1", "position + 2"),
    (machine.RegisteredTrainer, "_reach_cells", "row + 1", "row"),
    (machine.RegisteredTrainer, "_move_words", "self.results.ready", "1"),
    (register_file.RegisterFile, "_decode", "offset // WORD_BYTES", "offset // WORD_BYTES + 1"),
    (counter_bank.CounterBank, "elaborate", "self.port.index[1:], scanned", "self.port.index[2:], scanned"),
]


@pytest.mark.parametrize(
    ("owner", "method", "code", "other"),
    MUTATIONS,
    ids=[f"{owner.__name__}: {other}" for owner, _, _, other in MUTATIONS],
)
def test_one_wrong_line_is_noticed(monkeypatch, owner, method, code, other):
    mutate(monkeypatch, owner, method, code, other)
    with pytest.raises((AssertionError, StochastorError, ValueError)):
        check_training_and_weights()
