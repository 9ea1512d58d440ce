"""Samples as words of a board's memory."""

import numpy as np
import pytest
from stochastor.fpga.host import coding
from stochastor.fpga.host.coding import Layout, lengths, stored_words
from stochastor.fpga.sample_store import most_words

from .test_sample_store import laid_out, samples_of


@pytest.mark.parametrize("inputs", [1, 2, 31, 32, 33, 100])
@pytest.mark.parametrize("zeros", [0.0, 0.6, 1.0])
def test_the_words_are_those_of_the_page(monkeypatch, inputs, zeros):
    monkeypatch.setattr(coding, "AT_A_TIME", 4)
    samples = samples_of(inputs, 10, zeros=zeros)
    words, places = laid_out(samples)
    labels, features = (np.array(part) for part in zip(*samples, strict=True))
    features = features.astype(np.uint8)
    assert np.concatenate(list(stored_words(features, labels))).tolist() == words
    layout = Layout.of(features)
    assert (layout.places.tolist(), layout.words) == (places, len(words))


def test_no_sample_is_longer_than_what_is_read_ahead():
    for inputs in range(1, 100):
        assert lengths(np.ones((1, inputs), dtype=np.uint8)).tolist() == [most_words(inputs)]


def test_no_samples_take_no_words():
    nothing = np.zeros((0, 5), dtype=np.uint8)
    assert Layout.of(nothing).words == 0
    assert list(stored_words(nothing, np.zeros(0, dtype=np.int64))) == []
