"""Hardware with one wrong line."""

import inspect
import textwrap
from typing import Any

import pytest


def mutate(patch: pytest.MonkeyPatch, owner: type, method: str, code: str, other: str) -> None:
    """Have `method` of `owner` as if `code`, which must occur in it once, were `other`."""
    original: Any = getattr(owner, method)
    source = textwrap.dedent(inspect.getsource(original))
    assert source.count(code) == 1
    # Outside of its class a method knows of none that super() could mean.
    wrong = source.replace(code, other).replace("super()", f"super({owner.__name__}, self)")
    namespace: dict[str, Any] = {}
    exec(wrong, original.__globals__, namespace)
    patch.setattr(owner, method, namespace[method])
