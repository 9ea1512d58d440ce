"""The golden model of the learning machine: bit-exact, NumPy, ignorant of hardware description."""
