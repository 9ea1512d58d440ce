import numpy as np
import pytest
from stochastor.hdl.cycles import draw_cycles
from stochastor.hdl.presentation import Presenter
from stochastor.hdl.trainer import Trainer
from stochastor.hdl.words import to_int
from stochastor.model.config import Config
from stochastor.model.layer import generator_keys
from stochastor.model.lfsr import Bank, Generator, seed, word_after
from stochastor.model.trainer import Trainer as Model
from stochastor.sim.stimulus import training_beats

from .bench import run, transfers

CONFIG = Config(sizes=(3, 4, 2), lanes=3)


def access(trainer, *requests):
    """Make accesses back to back; return the values read."""
    reads = sum(not request["write"] for request in requests)

    async def ask(ctx):
        for request in requests:
            for name, value in request.items():
                ctx.set(trainer.access.p[name], value)
            ctx.set(trainer.access.valid, 1)
            await ctx.tick().until(trainer.access.ready)
        ctx.set(trainer.access.valid, 0)

    async def answer(ctx):
        ctx.set(trainer.values.ready, 1)
        return [(await ctx.tick().sample(trainer.values.p).until(trainer.values.valid))[0] for _ in range(reads)]

    return run(trainer, ask, answer)[1]


def weight(layer, row, column, write=0, value=0):
    return {"write": write, "generator": 0, "layer": layer, "row": row, "column": column, "value": value}


@pytest.mark.parametrize("layer", [0, 1])
def test_a_weight_read_right_after_it_was_written_is_the_new_one(layer):
    for row, column in ((0, 0), (3, 1)):
        requests = weight(layer, row, column, 1, 33), weight(layer, row, column)
        assert access(Trainer(CONFIG), *requests) == [33]


def test_every_weight_is_where_the_model_has_it():
    model = Model(CONFIG)
    for layer, matrix in enumerate(model.weights()):
        rows, columns = np.indices(matrix.shape)
        requests = [weight(layer, int(row), int(column)) for row, column in zip(rows.flat, columns.flat, strict=True)]
        assert access(Trainer(CONFIG), *requests) == matrix.ravel().tolist()


def test_a_write_changes_one_weight_only():
    matrix = Model(CONFIG).weights()[0]
    matrix[2, 3] = -7
    rows, columns = np.indices(matrix.shape)
    reads = [weight(0, int(row), int(column)) for row, column in zip(rows.flat, columns.flat, strict=True)]
    assert access(Trainer(CONFIG), weight(0, 2, 3, 1, -7), *reads) == matrix.ravel().tolist()


def test_generators_start_with_the_seeds_of_the_model_and_take_what_is_written():
    states = iter(Model(CONFIG).generator_states())
    for layer in (1, 2):
        for generator, bank in generator_keys(CONFIG, layer):
            if bank is Bank.TRAIN:
                read = {"write": 0, "generator": 1, "layer": layer - 1, "row": int(generator), "column": 0, "value": 0}
                write = read | {"write": 1, "value": 0x12345678}
                values = access(Trainer(CONFIG), read, write, read)
                assert [value & 0xFFFFFFFF for value in values] == [word_after(next(states)), 0x12345678]


@pytest.mark.parametrize("draws", [1, 3])
@pytest.mark.parametrize("per_beat", [1, 2, 4, 8])
def test_drawing_a_sample_takes_the_cycles_of_the_formula(per_beat, draws):
    config = Config(sizes=(21, 1), pixels_per_beat=per_beat, input_draws=draws, reference_bits=16)
    seeds = tuple(seed(config.seed, Generator.INPUT, bank, 1) for bank in Bank)
    presenter = Presenter(inputs=21, outputs=1, per_beat=per_beat, patterns=draws, seeds=seeds)
    features = np.random.default_rng(2).integers(0, 256, (30, 21), dtype=np.uint8) * (np.arange(30) % 3)[:, np.newaxis]
    features = features.astype(np.uint8)
    labels = np.zeros(30, dtype=np.int64)
    beats = [to_int(words) for words in training_beats(config, features, labels, 0, 0)]
    lists = [trace.layers[0].rows for trace in Model(config).train(features, labels)]
    log = []

    async def feed(ctx):
        ctx.set(presenter.events.ready, 1)
        ctx.set(presenter.presentations.ready, 1)
        ctx.set(presenter.samples.valid, 1)
        for beat in beats:
            ctx.set(presenter.samples.p.as_value(), beat)
            await ctx.tick().until(presenter.samples.ready)

    run(presenter, feed, background=(transfers(presenter.events, log),))
    ends = [cycle for cycle, row in log if row == 21][draws - 1 :: draws]
    assert len(ends) >= 29
    assert np.diff(ends).tolist() == [draw_cycles(config, rows) for rows in lists[1 : len(ends)]]
