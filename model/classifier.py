"""The learning machine as a scikit-learn classifier."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .config import Config, Gate
from .crossbar import Cells
from .errors import ConfigError, DataError
from .fast import make_trainer
from .schedule import exponent, sample_order
from .trainer import Features, Votes, check_passes, check_samples, predictions

SAMPLES_PER_STEP = 1024
NEURONS_MAX = 65_535
FEATURE_MAX = 255
MACHINE = (
    "weight_bits",
    "scale",
    "gate",
    "input_draws",
    "carry_digits",
    "carry_base",
    "carry_pulses",
    "carry_period",
    "reference_bits",
    "epochs",
)


class BinaryStochasticClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network trained by binary stochastic learning, bit for bit as the hardware trains it.

    Features are scaled to 8 bits, each by the least and the largest value that `fit`, or the first call of
    `partial_fit`, saw of it; what lies outside later is clipped, and a feature that was constant is 0. Each class has
    an output column, also where there are two.

    The parameters are fields of `Config` but for those described here; ranges are given there.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Neurons of each hidden layer; none if empty.
    weight_bits, scale, gate, input_draws, carry_digits, carry_base, carry_pulses, carry_period,
    reference_bits : optional
        The machine. With few features a high `input_draws` matters: it says how finely a feature is felt.
    epochs : int
        Times that `fit` trains every sample, in an order drawn anew and thinned more and more towards the end.
    exponent : int
        k of the thinning in `partial_fit`, 0 to 7: a row takes part in an update with probability 2^-k.
    passes : int
        Stochastic passes over which a sample is voted on, 1 to 255.
    random_state : int, RandomState or None
        A whole number is the machine's seed itself, to 2^64 - 1; from anything else 64 bits are drawn. With the same
        seed and data everything is the same, predictions included.
    verbose : bool
        Whether `fit` prints a line an epoch.

    Attributes
    ----------
    classes_ : ndarray, shape (classes,)
        Labels in order; column i of the output layer is ``classes_[i]``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        Where the samples had names of features that are all strings.
    feature_min_, feature_max_ : ndarray of float64, shape (n_features_in_,)
        Values that become 0 and 255.
    config_ : Config
        The machine trained.
    weights_ : list of ndarray of int32, shape (rows, columns * carry_digits)
        Its cells, layer by layer, in steps.

    Notes
    -----
    Each sample is inferred in a call of its own, so that what is predicted of it does not depend on its neighbours.
    A pickled classifier goes on training exactly where it stood.
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (128,),
        *,
        weight_bits: int = 10,
        scale: int = 32,
        gate: str = Gate.FIXED_WINDOW.value,
        input_draws: int = 16,
        carry_digits: int = 1,
        carry_base: int = 0,
        carry_pulses: int = 1,
        carry_period: int = 0,
        reference_bits: int = 16,
        epochs: int = 200,
        exponent: int = 0,
        passes: int = 16,
        random_state: int | RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.weight_bits = weight_bits
        self.scale = scale
        self.gate = gate
        self.input_draws = input_draws
        self.carry_digits = carry_digits
        self.carry_base = carry_base
        self.carry_pulses = carry_pulses
        self.carry_period = carry_period
        self.reference_bits = reference_bits
        self.epochs = epochs
        self.exponent = exponent
        self.passes = passes
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train from the initial weights.

        Parameters
        ----------
        X : array-like of numbers, shape (samples, features)
            Finite, dense.
        y : array-like, shape (samples,)
            Labels of one type; those that occur are the classes.

        Raises
        ------
        ValueError
            If samples or labels are unfit; `ConfigError`, which is one, if a parameter is.
        """
        samples, given = validate_data(self, X, y)
        check_classification_targets(given)
        encoder = LabelEncoder()
        labels = encoder.fit_transform(given)
        self._begin(samples, encoder.classes_)
        features = self._scaled(samples)
        for epoch in range(self.config_.epochs):
            k = exponent(epoch, self.config_.epochs)
            order = sample_order(self.config_.seed, epoch, len(features), self.config_.shuffle_block)
            for batch in gen_batches(len(order), SAMPLES_PER_STEP):
                self._trainer.train(features[order[batch]], labels[order[batch]], k)
            if self.verbose:
                print(f"epoch {epoch + 1} of {self.config_.epochs}, k = {k}, trained {self._trainer.samples_trained:,}")
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> Self:
        """Train samples once, in the order given, from where training stands.

        Parameters
        ----------
        X : array-like of numbers, shape (samples, features)
            Finite, dense.
        y : array-like, shape (samples,)
            Labels, each of a class.
        classes : array-like, shape (classes,), optional
            All classes. The first call needs them; later ones may give them again.

        Raises
        ------
        ValueError
            If samples, labels or classes are unfit; `ConfigError`, which is one, if a parameter is. Nothing is trained
            then.
        """
        first = not self.__sklearn_is_fitted__()
        samples, given = validate_data(self, X, y, reset=first)
        check_classification_targets(given)
        encoder = LabelEncoder().fit(self._all_classes(classes))
        labels = encoder.transform(given)
        if first:
            self._begin(samples, encoder.classes_)
        for batch in gen_batches(len(labels), SAMPLES_PER_STEP):
            self._trainer.train(self._scaled(samples[batch]), labels[batch], self.exponent)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Classes with the most votes, shape (samples,); ties go to the first of `classes_`.

        Parameters
        ----------
        X : array-like of numbers, shape (samples, features)

        Raises
        ------
        NotFittedError
            Before any training.
        ValueError
            If the samples are unfit, or `passes` is out of range.
        """
        votes = self._votes(X)
        classes: NDArray[Any] = self.classes_[predictions(votes)]
        return classes

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """The share of each class in a sample's votes; all the same where nothing was voted for.

        Parameters
        ----------
        X : array-like of numbers, shape (samples, features)

        Returns
        -------
        ndarray of float64, shape (samples, classes)
            The first largest of a row is the class that `predict` gives.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`.
        """
        votes = self._votes(X)
        votes[votes.sum(axis=1) == 0] = 1
        shares: NDArray[np.float64] = votes / votes.sum(axis=1, keepdims=True)
        return shares

    @property
    def weights_(self) -> list[Cells]:
        """Cells of layers 1 to L, each of shape (rows, columns * carry_digits), in steps."""
        check_is_fitted(self)
        return self._trainer.weights()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_trainer")

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_trainer" in state:
            trainer = state["_trainer"]
            state["_trainer"] = trainer.weights(), trainer.generator_states(), trainer.samples_trained
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_trainer" in state:
            self._trainer = make_trainer(self.config_)
            self._trainer.restore(*state["_trainer"])

    def _begin(self, X: NDArray[Any], classes: NDArray[Any]) -> None:
        """Make a new machine for samples like `X`."""
        config = self._machine(X.shape[1], len(classes))
        check_passes(self.passes)
        check_samples(config, np.zeros((0, X.shape[1]), dtype=np.uint8), exponent=self.exponent)
        self.config_ = config
        self._trainer = make_trainer(config)
        self.classes_ = classes
        self.feature_min_ = X.min(axis=0).astype(np.float64)
        self.feature_max_ = X.max(axis=0).astype(np.float64)

    def _machine(self, inputs: int, outputs: int) -> Config:
        parameters = {name: _plain(getattr(self, name)) for name in MACHINE}
        sizes = inputs, *_hidden(self.hidden_layer_sizes), outputs
        return Config.from_dict(
            {"sizes": sizes, "seed": _seed(self.random_state), **parameters}, where=type(self).__name__
        )

    def _all_classes(self, classes: ArrayLike | None) -> NDArray[Any]:
        if not self.__sklearn_is_fitted__():
            if classes is None:
                raise DataError("the first call of partial_fit needs classes: all labels that may ever come")
            return np.unique(np.asarray(classes))
        if classes is not None and not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
            raise DataError(f"classes must stay those of the first call, {self.classes_.tolist()}, not {classes!r}")
        return self.classes_

    def _votes(self, X: ArrayLike) -> Votes:
        check_is_fitted(self)
        features = self._scaled(validate_data(self, X, reset=False))
        return np.concatenate([self._trainer.infer(sample[np.newaxis], self.passes) for sample in features])

    def _scaled(self, X: NDArray[Any]) -> Features:
        """Features as bytes, shape (samples, features)."""
        features = np.empty(X.shape, dtype=np.uint8)
        for batch in gen_batches(len(X), SAMPLES_PER_STEP):
            features[batch] = _bytes(X[batch], self.feature_min_, self.feature_max_)
        return features


def _bytes(X: NDArray[Any], low: NDArray[np.float64], high: NDArray[np.float64]) -> Features:
    span = high / 2 - low / 2  # halves, as the difference of two floats may be none
    above = np.clip(X.astype(np.float64), low, high) / 2 - low / 2
    share = np.divide(above, span, out=np.zeros_like(above), where=span > 0)
    return np.floor(share * FEATURE_MAX + 0.5).astype(np.uint8)


def _hidden(given: object) -> list[int]:
    sizes = [_plain(size) for size in (given if isinstance(given, Iterable) else [given])]
    if any(type(size) is not int or not 1 <= size <= NEURONS_MAX for size in sizes):
        raise ConfigError(
            f"hidden_layer_sizes must be a whole number from 1 to {NEURONS_MAX}, or a sequence of such, not {given!r}"
        )
    return sizes


def _seed(random_state: int | RandomState | None) -> int:
    if isinstance(random_state, int | np.integer):
        if not 0 <= random_state < 1 << 64:
            raise ConfigError(f"random_state must be from 0 to 2^64 - 1, or not be a whole number, not {random_state}")
        return int(random_state)
    return int(check_random_state(random_state).randint(0, 1 << 64, dtype=np.uint64))


def _plain(value: Any) -> Any:
    """NumPy's whole numbers, which searches over parameters yield, as Python's."""
    return int(value) if isinstance(value, np.integer) else value
