from itertools import product
from math import ceil, log2
from random import Random

import numpy as np
import pytest
from stochastor.hdl.read import BackwardRead, ForwardRead
from stochastor.model.crossbar import Address, IntegerCrossbar

from .bench import STALLS, flat, pauses, run, send, sink, source, transfers, watch

ADDRESS = Address(0, 1, True)
REFERENCE_BITS = 7
CODE_MIN = -64
SHAPES = [(1, 1, 1), (3, 1, 2), (4, 1, 4), (5, 1, 8), (2, 3, 2), (4, 2, 2), (3, 3, 1)]  # lanes, folds, tables


def bits_for(bound):
    """Width of a signed number from -bound to bound."""
    return bound.bit_length() + 1


def forward_read(lanes, folds, tables, rows, weight_bits):
    return ForwardRead(
        lanes=lanes,
        groups=folds * -(-lanes // tables),
        groups_per_fold=-(-lanes // tables),
        tables=tables,
        weight_bits=weight_bits,
        reference_bits=REFERENCE_BITS,
        read_bits=bits_for(rows * (2 ** (weight_bits - 1) - 1)),
    )


def random_weights(rows, columns, weight_bits, seed):
    """Weights of which many are extreme."""
    random, weight_max = Random(seed), 2 ** (weight_bits - 1) - 1
    choices = (weight_max, -weight_max, 0, random.randint(-weight_max, weight_max))
    return np.array([[random.choice(choices) for _ in range(columns)] for _ in range(rows)], dtype=np.int32)


def model_of(weights, weight_bits):
    crossbar = IntegerCrossbar(*weights.shape, 2 ** (weight_bits - 1) - 1)
    crossbar.load(weights)
    return crossbar


async def add_words(ctx, read, weights, lanes, paused):
    """Add all rows of `weights`, fold after fold."""
    for start in range(0, weights.shape[1], lanes):
        for index, row in enumerate(weights.tolist()):
            while ctx.get(read.busy) or paused():
                await ctx.tick()
            ctx.set(read.word, row[start : start + lanes])
            ctx.set(read.last, index == len(weights) - 1)
            ctx.set(read.valid, 1)
            await ctx.tick()
            ctx.set(read.valid, 0)


async def clear(ctx, read):
    ctx.set(read.clear, 1)
    await ctx.tick()
    ctx.set(read.clear, 0)


def requests_for(codes, lanes, tables):
    """Requests that compare every line with its code; a full fold has `lanes` lines."""
    groups = [
        codes[fold : fold + lanes][first : first + tables]
        for fold in range(0, len(codes), lanes)
        for first in range(0, lanes, tables)
    ]
    return [
        {
            "group": index,
            "last": int(index == len(groups) - 1),
            "window": 1,
            "lower": [*group, *[0] * (tables - len(group))],
        }
        for index, group in enumerate(groups)
    ]


def by_line(responses, lanes, tables):
    """For each operation, whether each line is above its code, and beyond it; lines that do not exist are left out."""
    operations, above, beyond = [], [], []
    for response in responses:
        first = response["group"] % -(-lanes // tables) * tables
        for line in range(min(tables, lanes - first)):
            above.append(bool(response["above"] >> line & 1))
            beyond.append(bool(response["beyond"] >> line & 1))
        if response["last"]:
            operations.append((above, beyond))
            above, beyond = [], []
    return operations


def codes_near(sums, seed):
    """For each sum a code on or beside it, or on or beside its mirror image."""
    random = Random(seed)
    near = [random.choice((z, -z - 1)) + random.randrange(-1, 2) for z in sums]
    return [min(max(code, CODE_MIN), -CODE_MIN - 1) for code in near]


def forward(weights, lanes, tables, weight_bits, operations, stalls=None):
    """Responses to several operations of codes on one held read, asked for before it is held."""
    read = forward_read(lanes, weights.shape[1] // lanes, tables, len(weights), weight_bits)
    requests = [request for codes in operations for request in requests_for(codes, lanes, tables)]

    async def words(ctx):
        await add_words(ctx, read, weights, lanes, pauses("words", stalls))

    asked, answers = source(read.request, requests, stalls), sink(read.response, len(requests), stalls)
    return by_line(run(read, words, asked, answers)[2], lanes, tables)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize(("lanes", "folds", "tables"), SHAPES)
def test_forward_sums_compare_as_in_the_model(lanes, folds, tables, rows, stalls):
    weights = random_weights(rows, lanes * folds, 4, seed=lanes)
    sums = weights.sum(axis=0).tolist()
    operations = [codes_near(sums, seed) for seed in range(4)]
    crossbar = model_of(weights, 4)
    crossbar.read_forward(ADDRESS, np.arange(rows))
    expected = [
        (crossbar.compare(ADDRESS, np.array(codes)).tolist(), crossbar.compare(ADDRESS, ~np.array(codes)).tolist())
        for codes in operations
    ]
    assert forward(weights, lanes, tables, 4, operations, stalls) == expected


def test_a_sum_is_strictly_compared_with_every_code():
    sums = list(range(CODE_MIN, -CODE_MIN, 8))
    weights = np.array([sums], dtype=np.int32)
    operations = [[code] * len(sums) for code in range(CODE_MIN, -CODE_MIN)]
    expected = [([z > code for z in sums], [z > -code - 1 for z in sums]) for code in range(CODE_MIN, -CODE_MIN)]
    assert forward(weights, 16, 8, 8, operations) == expected


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("rows", "weight_bits"), [(9, 4), (63, 2), (2, 6), (1, 7)])
def test_the_most_extreme_sums_do_not_wrap(rows, weight_bits, sign):
    extreme = sign * rows * (2 ** (weight_bits - 1) - 1)
    weights = np.full((rows, 3), extreme // rows, dtype=np.int32)
    operations = [[code] * 3 for code in (extreme - 1, extreme, -1, 0)]
    expected = [([extreme > code] * 3, [extreme > ~code] * 3) for (code, *_) in operations]
    assert forward(weights, 3, 2, weight_bits, operations) == expected


def forward_cycles(reads, lanes, folds, tables):
    """For each of several reads: cycles of the last word of each fold, of the requests and of the responses.

    A read is asked for from its first word on, and answers are taken at once.
    """
    rows = 3
    read = forward_read(lanes, folds, tables, rows, 4)
    weights = random_weights(rows, lanes * folds, 4, seed=lanes)
    requests = requests_for([0] * lanes * folds, lanes, tables)
    begun, lasts, asked, answered = [], [], [], []

    async def words(ctx):
        for index in range(reads):
            await clear(ctx, read)
            begun.append(index)
            await add_words(ctx, read, weights, lanes, lambda: False)
            while len(asked) < len(requests) * (index + 1):
                await ctx.tick()

    async def ask(ctx):
        for index in range(reads):
            while index not in begun:
                await ctx.tick()
            await send(ctx, read.request, requests, lambda: False)

    watches = [
        watch(read.valid & read.last, read.last, lasts),
        transfers(read.request, asked),
        transfers(read.response, answered),
    ]
    run(read, words, ask, sink(read.response, reads * len(requests)), background=watches)
    cycles = ([cycle for cycle, _ in log] for log in (lasts, asked, answered))
    return [np.reshape(log, (reads, -1)).tolist() for log in cycles]


@pytest.mark.parametrize(("lanes", "folds", "tables"), SHAPES)
def test_a_group_is_compared_as_soon_as_it_is_held_and_not_before(lanes, folds, tables):
    groups_per_fold = -(-lanes // tables)
    lasts, asked, _ = forward_cycles(3, lanes, folds, tables)
    for read_lasts, read_asked in zip(lasts, asked, strict=True):
        assert read_asked == [last + 2 + group for last in read_lasts for group in range(groups_per_fold)]


@pytest.mark.parametrize(("lanes", "folds", "tables"), SHAPES)
def test_a_response_comes_two_cycles_after_its_request(lanes, folds, tables):
    _, asked, answered = forward_cycles(2, lanes, folds, tables)
    assert answered == [[cycle + 2 for cycle in cycles] for cycles in asked]


def sense(lanes, weight_bits, reads, stalls=None):
    """Decisions on a list of (row, words, signs), each word and its signs for a fold; and the cycles they take."""
    folds = len(reads[0][1])
    read = BackwardRead(
        rows=16, lanes=lanes, weight_bits=weight_bits, sense_bits=bits_for(folds * lanes * (2 ** (weight_bits - 1) - 1))
    )
    lasts, decisions = [], []

    async def testbench(ctx):
        paused = pauses("words", stalls)
        for row, words, signs in reads:
            for fold in range(folds):
                while paused():
                    await ctx.tick()
                ctx.set(read.word, words[fold])
                ctx.set(read.signs, signs[fold])
                ctx.set(read.row, row)
                ctx.set(read.last, fold == folds - 1)
                ctx.set(read.valid, 1)
                await ctx.tick()
                ctx.set(read.valid, 0)
        while ctx.get(read.busy):
            await ctx.tick()

    watches = [watch(read.valid & read.last, read.last, lasts), watch(read.sensed.valid, read.sensed, decisions)]
    run(read, testbench, background=watches)
    latencies = [decided - last for (decided, _), (last, _) in zip(decisions, lasts, strict=True)]
    answers = [(sensed["row"], sensed["above_zero"], sensed["above_minus_one"]) for _, sensed in decisions]
    return answers, latencies


def sensed_by_the_model(weight_bits, reads):
    answers = []
    for row, words, signs in reads:
        crossbar = model_of(np.array([flat(words)]), weight_bits)
        crossbar.read_backward(ADDRESS, np.array(flat(signs), dtype=np.int8), np.array([0]))
        answers.append((row, *(int(crossbar.compare(ADDRESS, np.array([code]))[0]) for code in (0, -1))))
    return answers


def random_reads(lanes, folds, weight_bits, count):
    random, weight_max = Random(lanes + 10 * folds), 2 ** (weight_bits - 1) - 1
    weights = (-weight_max, -1, 0, 1, weight_max)
    return [
        (
            random.randrange(16),
            [random.choices(weights, k=lanes) for _ in range(folds)],
            [random.choices((-1, 0, 1), k=lanes) for _ in range(folds)],
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("folds", [1, 2, 3])
@pytest.mark.parametrize("lanes", [1, 2, 3, 5, 8])
def test_backward_sums_compare_as_in_the_model(lanes, folds, stalls):
    reads = random_reads(lanes, folds, 4, count=60)
    assert sense(lanes, 4, reads, stalls)[0] == sensed_by_the_model(4, reads)


def test_both_comparisons_are_exact_for_every_small_sum():
    words, signs = list(product((-1, 0, 1), repeat=2)), list(product((-1, 0, 1), repeat=2))
    reads = [(0, [list(word)], [list(sign)]) for word in words for sign in signs]
    sums = [word[0] * sign[0] + word[1] * sign[1] for word in words for sign in signs]
    assert sense(2, 2, reads)[0] == [(0, int(s > 0), int(s > -1)) for s in sums]


@pytest.mark.parametrize("folds", [1, 3])
@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_the_most_extreme_backward_sums_do_not_wrap(lanes, folds):
    reads = [
        (0, [[weight] * lanes] * folds, [[sign] * lanes] * folds) for weight, sign in product((-127, 127), (-1, 1))
    ]
    assert sense(lanes, 8, reads)[0] == [(0, 1, 1), (0, 0, 0), (0, 0, 0), (0, 1, 1)]


@pytest.mark.parametrize("folds", [1, 2])
@pytest.mark.parametrize("lanes", [1, 2, 3, 5, 8])
def test_a_row_is_sensed_two_cycles_after_the_levels_of_the_tree(lanes, folds):
    _, latencies = sense(lanes, 4, random_reads(lanes, folds, 4, count=5))
    assert latencies == [2 + ceil(log2(lanes))] * 5
