"""The constants that energies rest on, each with its technology and its source, and those of the user's own."""

import os
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..model.errors import ConfigError

ASSUMED = "assumption"


@dataclass(frozen=True, kw_only=True)
class Constant:
    """A number that energies rest on.

    Attributes
    ----------
    value : float
    unit, node, meaning, source : str
        Unit of the value; technology it is of; what it is; where it is from, `assumption` first where it is nobody's
        measurement.
    """

    value: float
    unit: str
    node: str
    meaning: str
    source: str


HOROWITZ = (
    "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, pp. 10-14, Fig. 1.1.9 "
    "(45 nm, 0.9 V), doi 10.1109/ISSCC.2014.6757323"
)
IN_HOROWITZ = "Horowitz, ISSCC 2014"
ISAAC = "A. Shafiee et al., ISAAC, ISCA 2016, pp. 14-26, table I, parts of an IMA, doi 10.1109/ISCA.2016.12"
COMPARATOR = (
    "B. Satapathy, A. Kaur, An energy-efficient and high-speed dynamic comparator for low-noise applications, "
    "Circuits, Systems, and Signal Processing 42, 2023, pp. 5108-5120, doi 10.1007/s00034-023-02375-6"
)

CONSTANTS = {
    "read_s": Constant(
        value=10e-9,
        unit="s",
        node="any",
        meaning="time that driven devices conduct in a read, its comparisons included",
        source=f"{ASSUMED}: settling of a line and a comparison at 100 MHz",
    ),
    "line_F": Constant(
        value=0.2e-15,
        unit="F",
        node="65 nm",
        meaning="capacitance of a line for each device on it",
        source=f"{ASSUMED}: 0.2 fF/um of wire, a device a micrometre",
    ),
    "driver_J": Constant(
        value=10e-15,
        unit="J",
        node="65 nm",
        meaning="driver of a line, switched on and off, without its line",
        source=f"{ASSUMED}: a chain of inverters of 10 fF in all at 1 V",
    ),
    "comparison_J": Constant(
        value=67e-15,
        unit="J",
        node="65 nm",
        meaning="decision of a dynamic comparator at 1.2 V, worst case",
        source=f"{COMPARATOR}: simulated after layout",
    ),
    "reference_J": Constant(
        value=0.25e-12,
        unit="J",
        node="65 nm",
        meaning="setting of a reference",
        source=f"{ASSUMED}: 256 unit capacitors of 1 fF charged to 1 V",
    ),
    "lookup_J": Constant(
        value=0.23e-12,
        unit="J",
        node="45 nm",
        meaning="read of a code from its table of 256",
        source=f"{ASSUMED}: 12 of the 64 bits of an 8 KB cache's 10 pJ ({IN_HOROWITZ}), an eighth for the size",
    ),
    "random_word_J": Constant(
        value=0.4e-12,
        unit="J",
        node="45 nm",
        meaning="word of an LFSR",
        source=f"{ASSUMED}: 32 parities and registers as four 32-bit additions of 0.1 pJ ({IN_HOROWITZ})",
    ),
    "list_J": Constant(
        value=0.6e-12,
        unit="J",
        node="45 nm",
        meaning="row address written to or read from a list",
        source=f"{ASSUMED}: 16 of the 64 bits of an 8 KB cache's 10 pJ ({IN_HOROWITZ}), a quarter for the size",
    ),
    "control_J": Constant(
        value=0.2e-12,
        unit="J",
        node="45 nm",
        meaning="sequencing of an event of a row",
        source=f"{ASSUMED}: two 32-bit additions of 0.1 pJ ({IN_HOROWITZ})",
    ),
    "fp32_mac_J": Constant(
        value=4.6e-12, unit="J", node="45 nm", meaning="multiply 3.7 pJ and add 0.9 pJ in fp32", source=HOROWITZ
    ),
    "int8_mac_J": Constant(
        value=0.23e-12,
        unit="J",
        node="45 nm",
        meaning="multiply 0.2 pJ and add 0.03 pJ in int8; 0.3 pJ where sums have 32 bits",
        source=HOROWITZ,
    ),
    "fp32_access_J": Constant(
        value=5e-12, unit="J", node="45 nm", meaning="32 bits of an 8 KB cache, half of a 64-bit word", source=HOROWITZ
    ),
    "int8_access_J": Constant(
        value=1.25e-12,
        unit="J",
        node="45 nm",
        meaning="8 bits of an 8 KB cache, an eighth of a 64-bit word",
        source=HOROWITZ,
    ),
    "adc_J": Constant(
        value=1.667e-12,
        unit="J",
        node="32 nm",
        meaning="8-bit conversion: 2 mW at 1.2 GS/s",
        source=ISAAC,
    ),
    "dac_cell_J": Constant(
        value=3.05e-15,
        unit="J",
        node="32 nm",
        meaning="one-bit drivers for each cell and cycle: 4 mW for 8 arrays of 128 x 128 cells and 100 ns",
        source=ISAAC,
    ),
    "array_cell_J": Constant(
        value=1.83e-15,
        unit="J",
        node="32 nm",
        meaning="array for each cell and cycle: 2.4 mW for 8 arrays of 128 x 128 cells and 100 ns",
        source=ISAAC,
    ),
}


def load_constants(path: str | os.PathLike[str] | None) -> dict[str, Constant]:
    """The table of constants, those that a TOML file names replaced.

    Parameters
    ----------
    path : path-like or None
        Of a file with ``name = value``, or a table ``[name]`` of value, node, meaning and source.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not TOML, or holds an unknown name or an impossible value.
    """
    if path is None:
        return dict(CONSTANTS)
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    return CONSTANTS | {name: _constant(path, name, value) for name, value in values.items()}


def _constant(path: str | os.PathLike[str], name: str, given: Any) -> Constant:
    if name not in CONSTANTS:
        raise ConfigError(f"{path}: unknown constant {name!r}; the constants are {', '.join(CONSTANTS)}")
    known = CONSTANTS[name]
    fields = given if isinstance(given, dict) else {"value": given}
    for key in fields:
        if key not in ("value", "node", "meaning", "source"):
            raise ConfigError(f"{path}: unknown key '{name}.{key}'; the keys are value, node, meaning, source")
    value = fields.get("value", known.value)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
        raise ConfigError(f"{path}: {name} must be 0 or more and less than 1 {known.unit}, not {value!r}")
    own = {"value": float(value), "node": "of the user", "source": str(path)} | fields
    return Constant(**asdict(known) | {key: str(text) for key, text in own.items()} | {"value": float(value)})
