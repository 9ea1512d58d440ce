import gc


def pytest_configure(config):
    """A component that refuses its parameters is never elaborated, and need not be."""
    config.addinivalue_line("filterwarnings", "ignore::amaranth.hdl.UnusedElaboratable")


def pytest_sessionfinish():
    """Collect such components while the warning is still ignored."""
    gc.collect()
