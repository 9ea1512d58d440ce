"""What the events of a ledger cost: energies by layer, phase and part, from a table of constants with their sources."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..model.config import Config
from ..model.ledger import Events, Phase
from .array.config import ArrayConfig, Pair
from .array.device import Device
from .energy_constants import Constant

ISAAC_ROWS, ISAAC_CYCLES, ISAAC_CELLS = 128, 8, 4
PARTS = ("array reads", "program pulses", "line drivers", "comparators", "references", "random bits", "control")
TRAINING = tuple(phase for phase in Phase if phase is not Phase.INFERENCE)


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Energy of a layer in a phase, in joules, by the names of `PARTS`."""

    layer: int
    phase: Phase
    parts: dict[str, float]

    @property
    def total_J(self) -> float:
        """All parts."""
        return sum(self.parts.values())


def energies(
    config: Config,
    ledger: Iterable[Events],
    array: ArrayConfig,
    conductances_S: Sequence[float],
    constants: Mapping[str, Constant],
) -> list[Energy]:
    """Energy of each entry of a ledger.

    A device that conducts takes V^2 G t, G being the mean of its layer; a line takes its driver's energy and C V^2.

    Parameters
    ----------
    config : Config
    ledger : iterable of Events
    array : ArrayConfig
        For voltages and the width of pulses, and for which pulses of the ledger reach devices.
    conductances_S : sequence of float
        Mean conductance of the devices of layers 1 to L, in siemens.
    constants : mapping of str to Constant
    """
    value = {name: constant.value for name, constant in constants.items()}
    return [
        Energy(
            layer=events.layer,
            phase=events.phase,
            parts=_parts(config, events, array, conductances_S[events.layer - 1], value),
        )
        for events in ledger
    ]


def _parts(
    config: Config, events: Events, array: ArrayConfig, conductance_S: float, value: Mapping[str, float]
) -> dict[str, float]:
    device, (set_pulses, reset_pulses) = array.device, _given(array, events)
    conducting = 2 * events.cells_read * device.read_voltage_V**2 * value["read_s"]
    pulsing = set_pulses * device.set_voltage_V**2 + reset_pulses * device.reset_voltage_V**2
    row_events = events.row_events + events.rows_sensed + events.row_pulses
    listed = 2 * (events.row_events + events.rows_sensed) + events.row_pulses
    energies = (
        conducting * conductance_S,
        pulsing * conductance_S * device.pulse_s,
        _drivers(config, events, device, value),
        events.comparisons * value["comparison_J"],
        events.references * (value["reference_J"] + value["lookup_J"]),
        events.random_words * value["random_word_J"],
        listed * value["list_J"] + row_events * value["control_J"],
    )
    return dict(zip(PARTS, energies, strict=True))


def _given(array: ArrayConfig, events: Events) -> tuple[float, float]:
    """SET and RESET pulses that reach devices: less the share that is thinned out, and none on references."""
    of_set, of_reset = 1 - max(array.thinning, 0.0), 1 - max(-array.thinning, 0.0)
    if array.pair is Pair.REFERENCE:
        cells = max(events.raised + events.lowered, 1)
        of_set, of_reset = of_set * events.raised / cells, of_reset * events.lowered / cells
    return events.set_pulses * of_set, events.reset_pulses * of_reset


def _drivers(config: Config, events: Events, device: Device, value: Mapping[str, float]) -> float:
    """Rows with two devices of each cell on them; columns in pairs, a pair a digit in reads, one pair in pulses."""
    rows, digits = config.rows(events.layer), config.carry_digits
    read, pulse = device.read_voltage_V**2, max(device.set_voltage_V, device.reset_voltage_V) ** 2
    row_F, column_F = 2 * config.cell_columns(events.layer) * value["line_F"], rows * value["line_F"]
    pulses = events.row_pulses > 0
    column_drives = events.column_drives * 2 * (1 if pulses else digits)
    return (
        events.row_events * (value["driver_J"] + row_F * read)
        + events.row_pulses * (value["driver_J"] + row_F * pulse)
        + column_drives * (value["driver_J"] + column_F * (pulse if pulses else read))
    )


def total_J(entries: Iterable[Energy], phases: Iterable[Phase] = tuple(Phase), parts: Iterable[str] = PARTS) -> float:
    """The sum over phases and parts, in joules."""
    chosen, names = set(phases), list(parts)
    return sum(entry.parts[name] for entry in entries if entry.phase in chosen for name in names)


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """Other hardware.

    Attributes
    ----------
    name, node, assumptions : str
    mac_J : float
        Energy of a multiply-accumulate of a forward pass.
    step_J : float
        Energy of a training step for each synapse: three multiply-accumulates (forward, backward, outer product).
    """

    name: str
    node: str
    assumptions: str
    mac_J: float
    step_J: float


def alternatives(constants: Mapping[str, Constant]) -> list[Alternative]:
    """High-precision memristor hardware and digital arithmetic, each with what it leaves out."""
    value = {name: constant.value for name, constant in constants.items()}
    found = []
    for kind, mac, access in (("fp32", "fp32_mac_J", "fp32_access_J"), ("int8", "int8_mac_J", "int8_access_J")):
        node = constants[mac].node
        found += [
            Alternative(
                name=f"digital {kind}, arithmetic",
                node=node,
                assumptions="arithmetic alone: no memory, no control; 3 MACs a training step",
                mac_J=value[mac],
                step_J=3 * value[mac],
            ),
            Alternative(
                name=f"digital {kind}, with weights from cache",
                node=node,
                assumptions="a weight read from an 8 KB cache for each MAC; a step reads it 3 times, writes it once",
                mac_J=value[mac] + value[access],
                step_J=3 * value[mac] + 4 * value[access],
            ),
        ]
    cell = value["adc_J"] / ISAAC_ROWS + value["dac_cell_J"] + value["array_cell_J"]
    memristor = ISAAC_CYCLES * ISAAC_CELLS * cell
    return [
        *found,
        Alternative(
            name="memristors, 8-bit ADC, bit-serial input",
            node=constants["adc_J"].node,
            assumptions="8 cycles for 8 input bits, 4 cells a weight, all 128 rows used; 3 MACs a step, no writes",
            mac_J=memristor,
            step_J=3 * memristor,
        ),
    ]
