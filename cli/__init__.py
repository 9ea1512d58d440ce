"""The ``stochastor`` command."""
