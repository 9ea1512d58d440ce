from random import Random

import numpy as np
import pytest
from stochastor.hdl.presentation import Presenter
from stochastor.model.layer import row_events
from stochastor.model.lfsr import Lfsr, state_before, word_after
from stochastor.model.samplers import bernoulli

from .bench import STALLS, flat, pauses, receive, run, send, source, transfers

SEEDS = (0x12345678, 0x9ABCDEF0)
OUTPUTS = 3
BANKS = 2  # lists that the layers can hold


def sample(random, inputs, *, infer, reseed=0, passes=0):
    features = [random.choice((0, 255, random.randrange(256))) for _ in range(inputs)]
    return {
        "number": random.getrandbits(32),
        "label": random.randrange(OUTPUTS),
        "exponent": random.randrange(8),
        "carry": random.randrange(2),
        "infer": infer,
        "reseed": reseed,
        "passes": passes,
        "features": features,
    }


def mixture(inputs, count, seed):
    """Samples of training and of inference calls, whose first ones reseed."""
    random, samples = Random(seed), []
    while len(samples) < count:
        if random.random() < 0.5:
            training = {"reseed": random.randrange(2), "passes": random.randrange(4)}
            samples.append(sample(random, inputs, infer=0, **training))
        else:
            passes = random.choice((0, 1, 2, 3))
            samples += [
                sample(random, inputs, infer=1, reseed=int(index == 0), passes=passes)
                for index in range(random.randrange(1, 4))
            ]
    return samples


def beats_of(samples, per_beat):
    """Beats of samples; only the first one of a sample has the sideband that counts."""
    beats = []
    for item in samples:
        sideband = {name: value for name, value in item.items() if name != "features"}
        features = [*item["features"], *[255] * (-len(item["features"]) % per_beat)]
        for start in range(0, len(features), per_beat):
            beats.append({"sideband": sideband, "features": features[start : start + per_beat]})
            sideband = {
                "number": 0,
                "label": 0,
                "exponent": 0,
                "carry": 1,
                "infer": item["infer"],
                "reseed": 1,
                "passes": 9,
            }
    return beats


def presented_by_the_model(samples, patterns=1, *, carry=False):
    """Lists of row events with their presentations, and the state of the training bank."""
    unused = {"features", "passes"} if carry else {"features", "passes", "carry"}
    banks = [Lfsr(seed) for seed in SEEDS]
    lists, presentations = [], []
    for item in samples:
        sideband = {name: value for name, value in item.items() if name not in unused}
        if item["infer"] and item["reseed"]:
            banks[1].state = SEEDS[1]
        passes = max(1, item["passes"]) if item["infer"] else 1
        for index in range(passes):
            features, bank = np.array(item["features"], dtype=np.uint8), banks[item["infer"]]
            lists.append(flat(row_events(bernoulli(features, bank)).tolist() for _ in range(patterns)))
            last = int(index == passes - 1)
            presentations.append(sideband | {"first": int(index == 0), "last": last})
    return lists, presentations, banks[0].state


def present(samples, inputs, per_beat, stalls=None, log=None, patterns=1, *, carry=False):
    """The same of the hardware, received as by layers that hold a few lists."""
    presenter = Presenter(
        inputs=inputs, outputs=OUTPUTS, per_beat=per_beat, patterns=patterns, seeds=SEEDS, carry=carry
    )
    count = len(presented_by_the_model(samples)[0])
    lists, presentations = [], []

    async def hold(ctx):
        paused = pauses("events", stalls)
        while len(lists) < count:
            while len(lists) - len(presentations) >= BANKS:
                await ctx.tick()
            lists.append(await receive(ctx, presenter.events, lambda events: events.count(inputs) == patterns, paused))

    async def work(ctx):
        paused = pauses("presentations", stalls)
        while len(presentations) < count:
            presentations.extend(await receive(ctx, presenter.presentations, len, paused))
        return state_before(ctx.get(presenter.port.word))

    send_beats = source(presenter.samples, beats_of(samples, per_beat), stalls)
    background = [] if log is None else [transfers(presenter.samples, log)]
    _, _, state = run(presenter, send_beats, hold, work, background=background)
    return lists, presentations, state


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(("inputs", "per_beat"), [(1, 1), (5, 1), (4, 4), (5, 2), (9, 4), (3, 8), (17, 8)])
def test_presentations_equal_the_model_under_stalls(inputs, per_beat, stalls):
    samples = mixture(inputs, 12, seed=inputs)
    assert present(samples, inputs, per_beat, stalls) == presented_by_the_model(samples)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("patterns", [2, 3])
@pytest.mark.parametrize(("inputs", "per_beat"), [(1, 1), (5, 2), (9, 4)])
def test_a_list_has_as_many_patterns_as_asked_for(inputs, per_beat, patterns, stalls):
    samples = mixture(inputs, 8, seed=inputs)
    expected = presented_by_the_model(samples, patterns)
    assert present(samples, inputs, per_beat, stalls, patterns=patterns) == expected


def test_a_machine_with_carry_is_told_which_samples_one_follows():
    samples = mixture(5, 8, seed=1)
    assert present(samples, 5, 4, carry=True) == presented_by_the_model(samples, carry=True)


@pytest.mark.parametrize("per_beat", [1, 4, 8])
@pytest.mark.parametrize("passes", [1, 2, 255])
def test_every_pass_draws_the_same_sample_anew(per_beat, passes):
    samples = [sample(Random(passes), 6, infer=1, reseed=1, passes=passes)]
    lists, _, _ = present(samples, 6, per_beat)
    generator = Lfsr(SEEDS[1])
    features = np.array(samples[0]["features"], dtype=np.uint8)
    assert lists == [row_events(bernoulli(features, generator)).tolist() for _ in range(passes)]


def test_inference_leaves_the_training_bank_alone():
    _, _, state = present([sample(Random(1), 6, infer=1, reseed=1, passes=5)], 6, 4)
    assert state == SEEDS[0]


def test_a_call_that_reseeds_draws_what_the_first_one_drew():
    call = sample(Random(2), 6, infer=1, reseed=1, passes=3)
    lists, _, _ = present([call, call], 6, 4)
    assert lists[:3] == lists[3:]


def test_a_sample_that_does_not_reseed_goes_on_drawing():
    call = sample(Random(2), 6, infer=1, reseed=1, passes=3)
    lists, _, _ = present([call, call | {"reseed": 0}], 6, 4)
    whole, _, _ = present([call | {"passes": 6}], 6, 4)
    assert lists == whole


def test_a_presentation_is_not_announced_before_its_list_is_complete():
    presenter = Presenter(inputs=4, outputs=OUTPUTS, per_beat=4, patterns=1, seeds=SEEDS)
    samples = [sample(Random(3), 4, infer=0) | {"features": [255] * 4} for _ in range(3)]
    events, announced = [], []

    async def hold(ctx):
        for _ in samples:
            await receive(ctx, presenter.events, lambda got: got[-1:] == [4], lambda: False)

    async def work(ctx):
        for _ in samples:
            await receive(ctx, presenter.presentations, len, lambda: False)

    watches = [transfers(presenter.events, events), transfers(presenter.presentations, announced)]
    run(presenter, source(presenter.samples, beats_of(samples, 4)), hold, work, background=watches)
    completed = [cycle for cycle, row in events if row == 4]
    assert all(cycle > complete for (cycle, _), complete in zip(announced, completed, strict=True))


def test_the_training_bank_goes_on_from_the_state_that_is_loaded():
    presenter = Presenter(inputs=6, outputs=OUTPUTS, per_beat=4, patterns=1, seeds=SEEDS)
    training = sample(Random(4), 6, infer=0)

    async def testbench(ctx):
        ctx.set(presenter.port.load_word, word_after(99))
        ctx.set(presenter.port.load, 1)
        await ctx.tick()
        ctx.set(presenter.port.load, 0)
        await send(ctx, presenter.samples, beats_of([training], 4), lambda: False)

    async def hold(ctx):
        return await receive(ctx, presenter.events, lambda got: got[-1:] == [6], lambda: False)

    drawn = bernoulli(np.array(training["features"], dtype=np.uint8), Lfsr(99))
    assert run(presenter, testbench, hold)[1] == row_events(drawn).tolist()


@pytest.mark.parametrize("active", range(5))
def test_a_beat_takes_as_many_cycles_as_it_has_active_features_but_at_least_one(active):
    features = [255] * active + [0] * (4 - active)
    assert first_beats([*features, *[0] * 8])[1:] == [1, max(1, active)]


def test_a_change_of_bank_takes_a_cycle_and_a_reseed_with_it_none():
    trained = first_beats([0] * 4, infer=0, reseed=0)[0]
    assert [first_beats([0] * 4, infer=1, reseed=reseed)[0] - trained for reseed in (0, 1)] == [1, 1]


def first_beats(features, infer=0, reseed=0):
    """Cycle of the first beat of a sample of `features`, and the cycles between its beats."""
    log = []
    item = sample(Random(5), len(features), infer=infer, reseed=reseed) | {"features": features}
    present([item], len(features), 4, log=log)
    cycles = [cycle for cycle, _ in log]
    return [cycles[0], *np.diff(cycles).tolist()]
