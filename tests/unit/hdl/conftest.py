def pytest_configure(config):
    """A component that refuses its parameters is never elaborated, and need not be."""
    config.addinivalue_line("filterwarnings", "ignore::amaranth.hdl.UnusedElaboratable")
