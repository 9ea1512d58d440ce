from math import isqrt

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from stochastor.sim.array.noise import ONE, Purpose, counter_words, line_normals
from stochastor.sim.array.noise_kernels import add_read_noise, draw_errors, draw_lines

from .addresses import addresses

fixed_seed = settings(derandomize=True, database=None, deadline=None)
seeds, lines = st.integers(0, 2**64 - 1), st.integers(1, 40)


@fixed_seed
@given(seed=seeds, purpose=st.sampled_from(Purpose), address=addresses, lines=lines)
def test_loops_draw_the_normals_of_the_plain_array(seed, purpose, address, lines):
    drawn = np.full(lines + 2, 7)
    _, c2, c3 = counter_words(purpose, address)
    draw_lines(seed % 2**32, seed >> 32, drawn, lines, address.row, address.sample, c2, c3)
    assert drawn[:lines].tolist() == line_normals(seed, purpose, address, np.arange(lines)).tolist()
    assert (drawn[lines + lines % 2 :] == 7).all()


@fixed_seed
@given(seed=seeds, address=addresses, lines=lines, deviation=st.integers(1, 2**36))
def test_loops_round_what_comparators_add_to_quanta(seed, address, lines, deviation):
    drawn = np.zeros(lines + 1, dtype=np.int64)
    _, c2, c3 = counter_words(Purpose.COMPARE, address)
    draw_errors(seed % 2**32, seed >> 32, drawn, lines, address.row, address.sample, c2, c3, deviation)
    normals = line_normals(seed, Purpose.COMPARE, address, np.arange(lines))
    assert drawn[:lines].tolist() == [(deviation * x + 2**31) // 2**32 for x in normals.tolist()]


@fixed_seed
@given(root=st.integers(1, 99) | st.integers(2**26, 2**31 - 2))
def test_reads_are_off_by_exact_roots(root):
    variance = np.array([root**2 - 1, root**2, root**2 + 2 * root])
    z = np.zeros(3, dtype=np.int64)
    add_read_noise(z, variance, np.full(3, ONE), 3, ONE)
    assert z.tolist() == [isqrt(value) for value in variance.tolist()]
