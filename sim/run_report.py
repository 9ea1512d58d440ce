"""What a run costs: cycles, events and energies for each sample, area, and all of it beside other hardware."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..hdl.cycles import carry_cycles, sample_cycles
from ..model.config import Config
from ..model.data import Dataset
from ..model.errors import ConfigError
from ..model.ledger import KINDS, Counts, Events, Phase, Total, ledger
from ..model.run import Run
from ..model.schedule import exponent
from ..model.trainer import Trainer
from .area import Area
from .array.config import ArrayConfig
from .array.device import whole_steps
from .array.run import AnalogRun
from .array.trainer import AnalogTrainer
from .energy import PARTS, TRAINING, Energy, alternatives, energies, total_J
from .energy_constants import Constant

THREE_ORDERS = 1000
ASSUMPTIONS = (
    "devices conduct at the mean conductance of their layer's array as it is now, whichever of them are driven",
    "a forward read conducts once for read_s, however often it is compared; so does a backward read of a row",
    "rows are pulsed one after the other, with a SET and a RESET pulse for each cell of a column with a sign",
    "of these, pulses on references, and the share that is thinned out, take nothing; nor do those of zero-shifting",
    "no clock, leakage, wires between layers, sample memory, host, or verifying of writes",
    "multiply-accumulates are counted dense: rows times columns, bias row included, active or not",
)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Training samples that were trained once more, from where the run stands.

    Attributes
    ----------
    samples : int
    cycles : float
        Of a sample, mean.
    carry_cycles : float
        Of a carry in the present state, shared by the samples of a period.
    counts : Counts
    """

    samples: int
    cycles: float
    carry_cycles: float
    counts: Counts


def replay(run: Run, dataset: Dataset, samples: int) -> Replay:
    """Train the first `samples` training samples on a copy of the run's machine, operation by operation."""
    config = run.config
    trainer = AnalogTrainer(config, run.array) if isinstance(run, AnalogRun) else Trainer(config)
    trainer.restore(run.trainer.weights(), run.trainer.generator_states(), run.samples_trained)
    if isinstance(run, AnalogRun) and isinstance(trainer, AnalogTrainer):
        trainer.load_conductances(run.trainer.conductances())
    k = exponent(min(run.epoch, config.epochs - 1), config.epochs)
    features, labels = dataset.train_features[:samples], dataset.train_labels[:samples]
    traces = trainer.train(features, labels, k)
    carried = carry_cycles(config, run.trainer.weights()) / config.carry_period if config.carry_digits > 1 else 0.0
    return Replay(
        samples=len(traces),
        cycles=float(np.mean([sample_cycles(config, trace) for trace in traces])),
        carry_cycles=carried,
        counts=trainer.counts,
    )


def mean_conductances(run: Run, array: ArrayConfig) -> list[float]:
    """Mean conductance of the devices of layers 1 to L, in siemens; mid-range for a run on exact integers."""
    if isinstance(run, AnalogRun):
        return [float(g.mean()) * array.device.quantum_S for g in run.trainer.conductances()]
    device, layers = array.device, run.config.layers
    if device.states:
        return [(device.g_min_S + device.g_max_S) / 2] * layers
    steps = whole_steps(device, run.config.digit_max)
    return [(steps.low + steps.high) / 2 * device.quantum_S] * layers


def array_of(run: Run, assumed: ArrayConfig | None, default: ArrayConfig) -> tuple[ArrayConfig, bool]:
    """The array of a run, and whether it is only assumed.

    Raises
    ------
    ConfigError
        If another array than its own is assumed for a run that has one.
    """
    if not isinstance(run, AnalogRun):
        return assumed or default, True
    if assumed is not None:
        raise ConfigError(f"{run.path}: has an array of its own: --array is for runs on exact integers")
    return run.array, False


def report_figures(
    run: Run,
    array: ArrayConfig,
    assumed: bool,
    replayed: Replay,
    constants: Mapping[str, Constant],
    area: Mapping[str, Area] | None,
) -> dict[str, Any]:
    """All figures of a report, as plain values; energies in joules.

    Parameters
    ----------
    run : Run
    array : ArrayConfig
    assumed : bool
        Whether the run was trained on exact integers, not on `array`.
    replayed : Replay
    constants : mapping of str to Constant
    area : mapping of str to Area, or None
        Of the parts of the machine.
    """
    config = run.config
    counted = run.trainer.counts if run.trainer.counts.totals[Total.SAMPLES] else replayed.counts
    samples, passes = (int(counted.totals[total]) for total in (Total.SAMPLES, Total.PASSES))
    events = ledger(config, counted)
    conductances = mean_conductances(run, array)
    spent = energies(config, events, array, conductances, constants)
    synapses = sum(config.rows(layer) * config.columns(layer) for layer in range(1, config.layers + 1))
    macs = samples * synapses
    training = total_J(spent, TRAINING)
    energy = {
        "by_phase_J_per_sample": {
            phase: {part: total_J(spent, [phase], [part]) / samples for part in PARTS} for phase in TRAINING
        },
        "training_J_per_sample": training / samples,
        "training_array_J_per_sample": total_J(spent, TRAINING, PARTS[:2]) / samples,
        "training_J": training,
        "inference_J_per_pass": total_J(spent, [Phase.INFERENCE]) / passes if passes else None,
        "forward_J_per_mac": total_J(spent, [Phase.FORWARD]) / macs,
        "forward_array_J_per_mac": total_J(spent, [Phase.FORWARD], PARTS[:1]) / macs,
        "step_J_per_synapse": training / macs,
    }
    return {
        "run": str(run.path),
        "sizes": list(config.sizes),
        "samples_trained": run.samples_trained,
        "samples_counted": samples,
        "passes_counted": passes,
        "counted": "run" if counted is run.trainer.counts else "replay",
        "array": array.to_dict(),
        "array_assumed": assumed,
        "mean_conductance_S": conductances,
        "synapses": synapses,
        "replayed_samples": replayed.samples,
        "cycles_per_sample": replayed.cycles + replayed.carry_cycles,
        "events_per_sample": _per_sample(events, samples),
        "events": [entry.to_dict() for entry in events],
        "energy": energy,
        "energies": [_energy(entry) for entry in spent],
        "area": None if area is None else {part: asdict(cells) for part, cells in area.items()},
        "alternatives": [asdict(other) for other in alternatives(constants)],
        "claim": _claim(config, array, counted, energy, conductances, constants),
        "constants": {name: asdict(constant) for name, constant in constants.items()},
        "assumptions": list(ASSUMPTIONS),
    }


def _per_sample(events: Sequence[Events], samples: int) -> dict[str, float]:
    """Events of training by kind, all layers together."""
    trained = [entry for entry in events if entry.phase is not Phase.INFERENCE]
    return {kind: sum(getattr(entry, kind) for entry in trained) / samples for kind in KINDS}


def _energy(entry: Energy) -> dict[str, Any]:
    return {"layer": entry.layer, "phase": str(entry.phase), "parts_J": entry.parts, "total_J": entry.total_J}


def _claim(
    config: Config,
    array: ArrayConfig,
    counts: Counts,
    energy: Mapping[str, Any],
    conductances: Sequence[float],
    constants: Mapping[str, Constant],
) -> dict[str, float]:
    """What three orders of magnitude below fp32 ask for, and how far this machine is from there."""
    fp32, int8 = constants["fp32_mac_J"].value, constants["int8_mac_J"].value
    forward, arrays, step = (
        energy[name] for name in ("forward_J_per_mac", "forward_array_J_per_mac", "step_J_per_synapse")
    )
    wanted = fp32 / THREE_ORDERS
    return {
        "wanted_J_per_mac": wanted,
        "conductance_S_wanted": float(np.mean(conductances)) * wanted / arrays,
        "fp32_over_array_reads": fp32 / arrays,
        "fp32_over_forward": fp32 / forward,
        "fp32_over_step": 3 * fp32 / step,
        "int8_over_array_reads": int8 / arrays,
        "int8_over_forward": int8 / forward,
        "int8_over_step": 3 * int8 / step,
        "int8_over_wanted": int8 / wanted,
    }
