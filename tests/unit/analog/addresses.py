"""Addresses of operations, for tests that hold for any of them."""

from hypothesis import strategies as st
from stochastor.model.crossbar import Address, Read

addresses = st.builds(
    Address,
    sample=st.integers(0, 2**33),
    layer=st.integers(1, 9),
    training=st.booleans(),
    read=st.sampled_from(Read),
    comparison=st.integers(0, 3),
    row=st.integers(0, 65_535),
    digit=st.integers(0, 3),
    repetition=st.integers(0, 32_767),
)
