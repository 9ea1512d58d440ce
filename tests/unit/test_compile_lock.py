"""Loops are compiled by one process at a time."""

import threading

import numpy as np
import pytest

pytest.importorskip("numba")

from stochastor.model import compile_lock as locked
from stochastor.model.compile_lock import compile_lock

ARRAYS = (np.zeros(3, dtype=np.int8), np.zeros((2, 2), dtype=np.int32))


def test_another_waits_until_the_loops_are_compiled():
    entered = threading.Event()
    other = threading.Thread(target=_enter, args=(entered, ARRAYS))
    with compile_lock(locked, ARRAYS):
        other.start()
        assert not entered.wait(0.3)
    assert entered.wait(10)
    other.join()


def test_loops_for_other_types_are_compiled_at_the_same_time():
    entered = threading.Event()
    other = threading.Thread(target=_enter, args=(entered, (ARRAYS[0].astype(np.int16), ARRAYS[1])))
    with compile_lock(locked, ARRAYS):
        other.start()
        assert entered.wait(10)
    other.join()


def _enter(entered, arrays):
    with compile_lock(locked, arrays):
        entered.set()
