"""Hardware with one wrong line."""

import inspect
import textwrap
from typing import Any

import pytest


def mutate(patch: pytest.MonkeyPatch, owner: type, method: str, code: str, other: str) -> None:
    """Replace `code`, which must occur once, in the source of a method."""
    original: Any = getattr(owner, method)
    source = textwrap.dedent(inspect.getsource(original))
    assert source.count(code) == 1
    namespace: dict[str, Any] = {}
    exec(source.replace(code, other), original.__globals__, namespace)
    patch.setattr(owner, method, namespace[method])
