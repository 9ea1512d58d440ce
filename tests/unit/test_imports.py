import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSE = "stochastor"
ALLOWED = {
    "model": {"model"},
    "hdl": {"hdl", "model"},
    "sim": {"sim", "hdl", "model"},
    "fpga": {"fpga", "hdl", "model"},
    "fpga/simulated": {"fpga", "sim", "hdl", "model"},
    "cli": {"cli", "fpga", "sim", "hdl", "model"},
}
FORBIDDEN = {"model": {"amaranth", "cocotb", "cocotb_tools"}, "hdl": {"cocotb", "cocotb_tools"}}


def imported_modules(source, package):
    """Absolute names that a module of `package` imports, anywhere in it; `from a import b` gives a.b."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            origin = ".".join([*parents, *filter(None, [node.module])])
            names += [f"{origin}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            names += [argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)]
    return names


def trespasses(source, folder, package):
    """Imports that a module in `folder` may not have."""
    found = []
    for name in imported_modules(source, package):
        first, *rest = name.split(".")
        if first == HOUSE and not (rest and rest[0] in ALLOWED[folder]):
            found.append(name)
        if first in FORBIDDEN.get(folder, ()) or (first != HOUSE and first in ALLOWED):
            found.append(name)
    return found


def modules(folder):
    """Modules in `folder`, but for those that a folder below has rules of its own for."""
    below = [ROOT / other for other in ALLOWED if other.startswith(f"{folder}/")]
    return sorted(p for p in (ROOT / folder).rglob("*.py") if not any(p.is_relative_to(other) for other in below))


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_point_one_way(folder):
    found = {
        str(path.relative_to(ROOT)): names
        for path in modules(folder)
        if (names := trespasses(path.read_text(), folder, ".".join([HOUSE, *path.parent.relative_to(ROOT).parts])))
    }
    assert found == {}


def test_every_folder_of_the_package_is_looked_at():
    assert {folder for folder in ALLOWED if modules(folder)} == set(ALLOWED)


@pytest.mark.parametrize(
    ("folder", "source", "name"),
    [
        ("model", "import amaranth", "amaranth"),
        ("model", "from amaranth.lib import wiring", "amaranth.lib.wiring"),
        ("model", "from ..hdl import lfsr", "stochastor.hdl.lfsr"),
        ("model", "from .. import sim", "stochastor.sim"),
        ("model", "import stochastor.cli.main as main", "stochastor.cli.main"),
        ("model", "from stochastor import fpga", "stochastor.fpga"),
        ("model", "def lazy():\n    from ..sim.physics import Array", "stochastor.sim.physics.Array"),
        ("model", "import importlib\nimportlib.import_module('cocotb')", "cocotb"),
        ("model", "import hdl", "hdl"),
        ("hdl", "import cocotb.triggers", "cocotb.triggers"),
        ("hdl", "from cocotb_tools import runner", "cocotb_tools.runner"),
        ("hdl", "from ..sim import driver", "stochastor.sim.driver"),
        ("hdl", "from ..cli.main import run", "stochastor.cli.main.run"),
        ("hdl", "from ..fpga import board", "stochastor.fpga.board"),
        ("sim", "from ..cli import main", "stochastor.cli.main"),
        ("sim", "from ..fpga import host", "stochastor.fpga.host"),
        ("fpga", "from ..sim import runner", "stochastor.sim.runner"),
        ("fpga", "if True:\n    import stochastor.cli", "stochastor.cli"),
    ],
)
def test_an_import_against_the_direction_is_found(folder, source, name):
    assert trespasses(source, folder, f"{HOUSE}.{folder}") == [name]


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("model", "from . import tables\nfrom .config import Config\nimport numpy as np"),
        ("hdl", "from ..model.config import Config\nfrom .lfsr import Lfsr\nfrom amaranth import *"),
        ("sim", "from ..model import trace\nfrom ..hdl.top import Top\nimport cocotb"),
        ("fpga", "from ..model import trace\nfrom stochastor.hdl.top import Top"),
        ("cli", "from ..fpga import board\nfrom ..sim import runner\nfrom stochastor.model import trainer"),
    ],
)
def test_imports_along_the_direction_are_free(folder, source):
    assert trespasses(source, folder, f"{HOUSE}.{folder}") == []


def test_a_relative_import_in_a_folder_below_is_resolved():
    assert trespasses("from ...sim import noise", "hdl", f"{HOUSE}.hdl.arrays") == ["stochastor.sim.noise"]
