"""The learning machine in Amaranth; ``hdl/x.py`` is the twin of ``model/x.py``."""
