"""A machine on a bus as files: Verilog, registers, and the core file by which FuseSoC takes it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from ...hdl.verilog import LINT_WAIVERS, TOP, describe, translate
from ...model.config import Config
from ...model.crossbar import Weights
from ...model.trace import weights_bytes
from ...model.trainer import power_up_weights
from ..identity import own_version
from .axi import AxiTrainer
from .registers import Bus, register_map
from .systemrdl import HEADER, RDL, to_c_header, to_systemrdl
from .wishbone import WishboneTrainer

MORE_WAIVERS = Path(__file__).with_name("lint.vlt")


@dataclass(frozen=True)
class BusDesign:
    """A machine on a bus as files.

    Attributes
    ----------
    bus : Bus
    verilog, rdl, header : str
        ``stochastor_axi.v`` with top module ``stochastor_axi``, ``registers.rdl``, ``stochastor.h``.
    description : dict
        ``stochastor_axi.json``, as that of a machine without a bus; its layers, hashes and ports.
    config : Config
    weights : tuple of ndarray of int32
        Power-up weights of layers 1 to L.
    """

    bus: Bus
    verilog: str
    rdl: str
    header: str
    description: dict[str, Any]
    config: Config
    weights: tuple[Weights, ...]

    @property
    def top(self) -> str:
        """Name of the top module."""
        return top_of(self.bus)

    def files(self) -> dict[str, bytes]:
        """Contents of all files by name; the same design always gives the same bytes."""
        top = self.top
        waivers = LINT_WAIVERS.read_text().replace(f"'{TOP}.", f"'{top}.") + MORE_WAIVERS.read_text()
        texts = {
            f"{top}.v": self.verilog,
            f"{top}.json": json.dumps(self.description, indent=2, sort_keys=True) + "\n",
            f"{top}.f": f"{top}.v\n",
            f"{top}.vlt": waivers,
            f"{top}.core": core_file(self.bus),
            RDL: self.rdl,
            HEADER: self.header,
        }
        files = {name: text.encode("ascii") for name, text in texts.items()}
        return files | {f"{top}.weights": weights_bytes(self.weights)}


def generate_on_bus(bus: Bus, config: Config, weights: Sequence[Weights] | None = None) -> BusDesign:
    """Generate the machine of `config` on a bus.

    Parameters
    ----------
    bus : Bus
    config : Config
    weights : sequence of ndarray of int32, optional
        Power-up weights of layers 1 to L; the configuration's initial weights by default.

    Raises
    ------
    ToolError
        If PeakRDL is missing.
    """
    rdl = to_systemrdl(register_map(config, streams=bus is Bus.AXI))
    header = to_c_header(rdl)
    weights = power_up_weights(config) if weights is None else weights
    component = machine_on(bus, config, weights)
    top = top_of(bus)
    return BusDesign(
        bus=bus,
        verilog=translate(component, top, joint="_"),
        rdl=rdl,
        header=header,
        description=describe(config, weights, component, top, joint="_", clocked=bus is not Bus.AXI),
        config=config,
        weights=tuple(weights),
    )


def machine_on(bus: Bus, config: Config, weights: Sequence[Weights] | None = None) -> wiring.Component:
    """The component of a machine on a bus."""
    return AxiTrainer(config, weights) if bus is Bus.AXI else WishboneTrainer(config, weights)


def top_of(bus: Bus) -> str:
    """Name of the top module of a bus."""
    return f"{TOP}_{bus}"


def core_file(bus: Bus) -> str:
    """The FuseSoC core file (CAPI2) of the files of a design."""
    top = top_of(bus)
    version = ".".join(map(str, own_version()))
    return f"""CAPI=2:

name: "::{top}:{version}"
description: "A machine that trains a network with one-bit signals, on {TITLES[bus]}"

filesets:
  rtl:
    files:
      - {top}.v
    file_type: verilogSource
  waivers:
    files:
      - {top}.vlt
    file_type: vlt
  registers:
    files:
      - {RDL}: {{file_type: systemRDL}}
      - {HEADER}: {{file_type: cSource, is_include_file: true}}

targets:
  default: &default
    filesets: [rtl]
    toplevel: {top}
  lint:
    <<: *default
    description: "Lint with Verilator"
    filesets: [waivers, rtl]
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall]
  registers:
    description: "SystemRDL and C header of the registers"
    filesets: [registers]
"""


TITLES = {Bus.AXI: "AXI4-Lite and AXI4-Stream", Bus.WISHBONE: "Wishbone B4"}
