"""Float training loops that others would write: PyTorch and NumPy, for comparison of speed."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ToolError

FEATURE_SCALE = 255


class TorchTrainer:
    """A plain PyTorch loop: ``nn.Linear`` and ``nn.Sigmoid``, cross-entropy, float32, no compilation.

    ``optimizer.zero_grad(); loss(network(x), y).backward(); optimizer.step()`` for every batch. Features are converted
    to float32 of 0..1 before the clock starts, as `prepare` does.

    Parameters
    ----------
    sizes : sequence of int
    batch : int
    optimizer : str
        ``sgd`` or ``adam``.
    learning_rate, momentum : float
        Momentum is for ``sgd`` only.
    threads : int
    seed : int

    Raises
    ------
    ToolError
        If PyTorch is missing.
    """

    def __init__(
        self,
        *,
        sizes: Sequence[int],
        batch: int,
        optimizer: str = "sgd",
        learning_rate: float = 0.1,
        momentum: float = 0.0,
        threads: int = 1,
        seed: int = 0,
    ) -> None:
        torch = import_torch()
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        layers: list[Any] = []
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.Sigmoid()]
        self._network = torch.nn.Sequential(*layers[:-1])
        self._loss = torch.nn.CrossEntropyLoss()
        parameters = self._network.parameters()
        if optimizer == "adam":
            self._optimizer = torch.optim.Adam(parameters, lr=learning_rate)
        else:
            self._optimizer = torch.optim.SGD(parameters, lr=learning_rate, momentum=momentum)
        self._batch = batch

    @staticmethod
    def prepare(features: NDArray[np.uint8], labels: NDArray[np.int64]) -> tuple[Any, Any]:
        """Tensors of samples, as `train` and `accuracy` take them."""
        torch = import_torch()
        return torch.from_numpy(features.astype(np.float32) / FEATURE_SCALE), torch.from_numpy(np.array(labels))

    def train(self, features: Any, labels: Any) -> None:
        """Train samples in the order given."""
        for start in range(0, len(labels), self._batch):
            self._optimizer.zero_grad()
            batch = slice(start, start + self._batch)
            self._loss(self._network(features[batch]), labels[batch]).backward()
            self._optimizer.step()

    def accuracy(self, features: Any, labels: Any) -> float:
        """Fraction of samples whose class is predicted."""
        torch = import_torch()
        with torch.no_grad():
            return float((self._network(features).argmax(dim=1) == labels).float().mean())


def import_torch() -> Any:
    """PyTorch, imported late: that takes seconds, and it need not be there.

    Raises
    ------
    ToolError
        If it is missing.
    """
    try:
        import torch
    except ImportError:
        raise ToolError("PyTorch is not installed: pip install 'stochastor[bench]'") from None
    return torch


def has_torch() -> bool:
    """Whether PyTorch can be imported."""
    try:
        import_torch()
    except ToolError:
        return False
    return True
