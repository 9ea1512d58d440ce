"""One line of a part made wrong."""

import inspect
import textwrap


def mutate(monkeypatch, owner, method, code, other):
    """Have `method` of `owner` as if `code` in it were `other`."""
    original = getattr(owner, method)
    source = textwrap.dedent(inspect.getsource(original))
    assert source.count(code) == 1
    namespace = {}
    exec(source.replace(code, other), original.__globals__, namespace)
    monkeypatch.setattr(owner, method, namespace[method])
