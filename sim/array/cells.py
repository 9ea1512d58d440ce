"""The block in which cells are pulsed: so many at a time, with a lane for each of so many quantities."""

CELLS = 256
LANES = 17
# How many cells become one vector instruction, at most.
VECTOR = 8
# From lane to lane: a power of two would have all lanes compete for the same lines of a cache.
STRIDE = CELLS + VECTOR
