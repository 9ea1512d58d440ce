"""The hardware in compiled simulation, as a Python object with the interface of the golden model."""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from ..hdl.cycles import most_cycles
from ..hdl.layer import LayerTrace as LayerTraceLayout
from ..hdl.observation import Observed, Observer, read_counters
from ..hdl.presentation import SampleBeat
from ..hdl.trainer import Access, Counters, Result
from ..hdl.verilog import TOP, Design, generate
from ..hdl.words import pack, unpack_array, word_count
from ..model.config import ArraySide, Config
from ..model.crossbar import Weights
from ..model.errors import ToolError
from ..model.layer import generator_keys
from ..model.lfsr import Bank, state_before, word_after
from ..model.trace import Trace
from ..model.trainer import (
    check_generator_states,
    check_passes,
    check_samples,
    check_weights,
)
from .array.pins import SimulatedArray
from .bridge import ANSWER, ARRAYS_HEADER, ArrayBridge, all_widths, array_ports
from .stimulus import inference_beats, training_beats
from .verilated import build_library

HARNESS = Path(__file__).with_name("harness.cc")


class CompiledTrainer:
    """The Verilog of a machine, compiled and run.

    Parameters
    ----------
    config : Config
        The machine.
    design : Design, optional
        Verilog to simulate; generated from `config` by default.
    stalls : float
        Probability of a stall of each stream in each cycle, 0 to less than 1.
    stall_seed : int
        Seed of the stalls.
    arrays : sequence of SimulatedArray
        Those of layers 1 to L, where the machine has pins for them.

    Raises
    ------
    ToolError
        If Verilator or a C++ compiler is missing, or the machine stops to answer.
    PinViolation
        From training and inference, if the machine does with an array what it must not.
    """

    def __init__(
        self,
        config: Config,
        design: Design | None = None,
        *,
        stalls: float = 0.0,
        stall_seed: int = 1,
        arrays: Sequence[SimulatedArray] = (),
    ) -> None:
        self.config = config
        self.samples_trained = 0
        self._observer = Observer(config)
        self._arrays = arrays
        self._bridge: ArrayBridge | None = None
        self._stall_threshold = int(stalls * (1 << 32))
        self._stall_seed = stall_seed
        self._patience = int(most_cycles(config) / (1 - stalls) ** 2)
        self._library = _load(build(config, design or generate(config)))
        self._machine = ctypes.c_void_p(self._library.machine_new())
        if arrays:
            self._bridge = ArrayBridge(arrays, all_widths(config))
            self._library.machine_arrays(self._machine, self._bridge.answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the simulation."""
        if self._machine:
            self._library.machine_delete(self._machine)
            self._machine = ctypes.c_void_p()

    @property
    def cycles(self) -> int:
        """Clock cycles since reset."""
        return int(self._library.machine_cycles(self._machine))

    def counters(self) -> dict[str, int | list[int]]:
        """The hardware's counters by name; those of layers as a list."""
        layout = Counters(self.config.layers)
        words = np.zeros((1, word_count(layout.size)), dtype=np.uint32)
        self._library.machine_counters(self._machine, _pointer(words))
        return read_counters(self.config, words)

    def train_sample(self, features: NDArray[np.uint8], label: int, exponent: int = 0) -> Trace:
        """Train one sample; as the golden model does."""
        return self.observe(np.asarray(features)[np.newaxis], [label], exponent)[0][0].trace

    def observe(
        self, features: NDArray[np.uint8], labels: Sequence[int], exponent: int = 0
    ) -> tuple[list[Observed], NDArray[np.int64]]:
        """Train samples; return what the hardware showed of each, and what `train` returns."""
        self._library.machine_trace(self._machine, 1)
        first = self.samples_trained
        fired = self.train(features, labels, exponent)
        self._library.machine_trace(self._machine, 0)
        return self._take(first, labels, exponent), fired

    def train(
        self, features: NDArray[np.uint8], labels: Sequence[int] | NDArray[np.int64], exponent: int = 0
    ) -> NDArray[np.int64]:
        """Train samples in the order given.

        Returns
        -------
        ndarray of int64, shape (samples, outputs)
            Fired bits of the output layer.
        """
        check_samples(self.config, features, labels, exponent)
        labels = np.asarray(labels, dtype=np.int64)
        fired = self._run(training_beats(self.config, features, labels, exponent, self.samples_trained), len(labels))
        self.samples_trained += len(labels)
        return fired

    def infer(self, features: NDArray[np.uint8], passes: int = 16) -> NDArray[np.int64]:
        """Votes of an inference call, shape (samples, outputs); as the golden model gives them."""
        check_samples(self.config, features)
        check_passes(passes)
        return self._run(inference_beats(self.config, features, passes), len(features), passes)

    def weights(self) -> list[Weights]:
        """Weights of layers 1 to L, read through the access port; behind pins, those nearest to the conductances."""
        if self._arrays:
            return [array.crossbar.dump() for array in self._arrays]
        matrices = []
        for layer in range(self.config.layers):
            rows, columns = np.indices((self.config.rows(layer + 1), self.config.cell_columns(layer + 1)))
            values = self._access(layer=layer, row=rows.ravel(), column=columns.ravel())
            matrices.append(values.reshape(rows.shape))
        return matrices

    def load(self, weights: Sequence[Weights]) -> None:
        """Write all weights through the access port; behind pins, program the arrays."""
        check_weights(self.config, weights)
        if self._arrays:
            for array, matrix in zip(self._arrays, weights, strict=True):
                array.crossbar.load(matrix)
            return
        for layer, matrix in enumerate(weights):
            rows, columns = np.indices(matrix.shape)
            self._access(layer=layer, row=rows.ravel(), column=columns.ravel(), write=1, value=matrix.ravel())

    def generator_states(self) -> list[int]:
        """States of the training generators, by layer and generator number."""
        layers, generators = self._generators()
        words = self._access(generator=1, layer=layers, row=generators).view(np.uint32)
        return [state_before(int(word)) for word in words]

    def restore(self, weights: Sequence[Weights], generator_states: Sequence[int], samples_trained: int) -> None:
        """Go on from a saved state."""
        check_generator_states(self.config, generator_states)
        self.load(weights)
        layers, generators = self._generators()
        words = np.array([word_after(int(state)) for state in generator_states])
        self._access(generator=1, write=1, layer=layers, row=generators, value=words)
        self.samples_trained = samples_trained

    def _generators(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        pairs = [
            (layer - 1, generator)
            for layer in range(1, self.config.layers + 1)
            for generator, bank in generator_keys(self.config, layer)
            if bank is Bank.TRAIN
        ]
        layers, generators = np.array(pairs).T
        return layers, generators

    def _run(self, beats: NDArray[np.uint32], results: int, passes: int = 1) -> NDArray[np.int64]:
        layout = Result(self.config.sizes[-1])
        words = np.zeros((results, word_count(layout.size)), dtype=np.uint32)
        stuck = self._library.machine_run(
            self._machine,
            _pointer(beats),
            len(beats),
            _pointer(words),
            results,
            self._stall_seed,
            self._stall_threshold,
            self._patience * passes,
        )
        self._stall_seed += 1
        self._raise_violation()
        if stuck:
            raise ToolError(f"the simulated machine stopped to answer after {self.cycles} cycles")
        return unpack_array(layout, "votes", words)

    def _access(
        self,
        *,
        layer: int | NDArray[np.int64],
        row: NDArray[np.int64],
        column: int | NDArray[np.int64] = 0,
        generator: int = 0,
        write: int = 0,
        value: int | NDArray[np.int64] | Weights = 0,
    ) -> NDArray[np.int32]:
        fields = {
            "write": write,
            "generator": generator,
            "layer": layer,
            "row": row,
            "column": column,
            "value": value,
        }
        accesses = pack(Access(self.config), fields, len(row))
        reads = np.full(len(row), not write, dtype=np.uint8)
        values = np.zeros(len(row), dtype=np.int32)
        stuck = self._library.machine_access(
            self._machine, _pointer(accesses), len(row), _pointer(reads), _pointer(values), self._patience
        )
        self._raise_violation()
        if stuck:
            raise ToolError("the simulated machine does not answer accesses")
        return values

    def _raise_violation(self) -> None:
        if self._bridge is not None and self._bridge.violation is not None:
            raise self._bridge.violation

    def _take(self, first: int, labels: Sequence[int], exponent: int) -> list[Observed]:
        count = self._library.machine_observed(self._machine)
        widths = [word_count(layout.size) for layout in self._observer.layouts]
        done = np.zeros(count, dtype=np.uint8)
        words = np.zeros((count, sum(widths)), dtype=np.uint32)
        self._library.machine_take(self._machine, _pointer(done), _pointer(words))
        layers = np.split(words, np.cumsum(widths)[:-1], axis=1)
        ends = np.flatnonzero(done) + 1
        starts = [0, *ends[:-1]]
        return [
            self._observer.assemble(first + index, int(label), exponent, [layer[start:end] for layer in layers])
            for index, (label, start, end) in enumerate(zip(labels, starts, ends, strict=True))
        ]


def build(config: Config, design: Design) -> Path:
    """Compile a design with its harness, and return the shared library; cached by content.

    Raises
    ------
    ToolError
        If Verilator or a C++ compiler is missing or fails.
    """
    headers = {"ports.h": _ports_header(config), ARRAYS_HEADER.name: ARRAYS_HEADER.read_text()}
    return build_library(TOP, design.verilog, HARNESS, headers)


def _ports_header(config: Config) -> str:
    """What the harness must know of a machine's ports; Verilator writes two underscores in a name as ___05F."""
    streams: dict[str, data.Layout] = {
        "samples": SampleBeat(config.sizes[-1], config.pixels_per_beat),
        "results": Result(config.sizes[-1]),
        "access": Access(config),
    }
    traces: list[LayerTraceLayout] = Observer(config).layouts
    lines = ["#pragma once"]
    for name in (*streams, "values"):
        lines += [f"#define {name.upper()}_{part} {name}___05F{part}" for part in ("payload", "valid", "ready")]
    lines += [f"#define {name.upper()}_WORDS {word_count(layout.size)}" for name, layout in streams.items()]
    lines += [f"#define {name.upper()} {name}" for name in ("counters", "idle", "training", "sample_done")]
    lines += [
        f"#define COUNTERS_WORDS {word_count(Counters(config.layers).size)}",
        f"#define MAX_TRACE_WORDS {max(word_count(layout.size) for layout in traces)}",
        "#define EACH_TRACE(f) "
        + " ".join(f"f(trace{index}, {word_count(layout.size)})" for index, layout in enumerate(traces, start=1)),
    ]
    if config.array_side is ArraySide.PINS:
        lines += array_ports(config, all_widths(config))
    return "\n".join(lines) + "\n"


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.machine_new.restype = ctypes.c_void_p
    library.machine_cycles.restype = ctypes.c_uint64
    library.machine_observed.restype = ctypes.c_uint64
    address, count = ctypes.c_void_p, ctypes.c_uint64
    library.machine_run.argtypes = [address, address, count, address, count, count, ctypes.c_uint32, count]
    library.machine_access.argtypes = [address, address, count, address, address, count]
    if hasattr(library, "machine_arrays"):
        library.machine_arrays.argtypes = [address, ANSWER]
    for name in ("machine_delete", "machine_cycles", "machine_observed"):
        getattr(library, name).argtypes = [address]
    library.machine_trace.argtypes = [address, ctypes.c_int]
    library.machine_take.argtypes = [address, address, address]
    library.machine_counters.argtypes = [address, address]
    return library


def _pointer(array: NDArray[np.generic]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
