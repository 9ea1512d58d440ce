"""The golden model of the learning machine: bit-exact, NumPy, ignorant of hardware description."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .classifier import BinaryStochasticClassifier

__all__ = ["BinaryStochasticClassifier"]


def __getattr__(name: str) -> Any:
    """Import the classifier late: scikit-learn takes a second that the rest need not pay."""
    if name != "BinaryStochasticClassifier":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .classifier import BinaryStochasticClassifier

    return BinaryStochasticClassifier
