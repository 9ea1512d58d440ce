"""What a host knows of the samples in a board's memory (docs/host-link.md)."""

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Samples that a board is known to keep, one behind the other from address 0 on.

    Attributes
    ----------
    samples : int
    sha256 : str
        Of their features and labels.
    sessions : tuple of int
        Sessions in which they were known to be there, the last one at the end.
    """

    samples: int = 0
    sha256: str = ""
    sessions: tuple[int, ...] = ()

    @classmethod
    def of(cls, features: NDArray[np.uint8], labels: NDArray[np.int64], session: int) -> Self:
        """What is known once `features` and `labels` were stored in `session`."""
        return cls(samples=len(labels), sha256=_digest(features, labels), sessions=(session,))

    def are(self, features: NDArray[np.uint8], labels: NDArray[np.int64]) -> bool:
        """Whether these are the samples."""
        return self.samples == len(labels) and self.sha256 == _digest(features, labels)

    def after(self, previous: int, session: int) -> Self:
        """What is known in `session`, whose board told that `previous` was the one before it."""
        if previous not in self.sessions:
            return type(self)()
        return replace(self, sessions=(*self.sessions, session))

    def to_dict(self) -> dict[str, Any]:
        """As ``board.json`` holds it."""
        return {"samples": self.samples, "sha256": self.sha256, "sessions": list(self.sessions)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """What `to_dict` gave."""
        sessions = tuple(map(int, content["sessions"]))
        return cls(samples=int(content["samples"]), sha256=str(content["sha256"]), sessions=sessions)


NOTHING_STORED = Stored()


def _digest(features: NDArray[np.uint8], labels: NDArray[np.int64]) -> str:
    return sha256(features.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
