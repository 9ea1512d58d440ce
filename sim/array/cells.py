"""The block in which cells are pulsed: so many at a time, with a lane for each of so many quantities."""

CELLS = 256
LANES = 15
