"""Boards by name, and the package that has their platforms."""

import sys

import pytest
from stochastor.fpga.boards import BOARDS
from stochastor.model.errors import ToolError


@pytest.mark.parametrize("name", BOARDS)
def test_without_amaranth_boards_the_line_that_installs_it_is_named(name, monkeypatch):
    package = "amaranth_boards"
    for module in [module for module in sys.modules if module.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ToolError) as missing:
        BOARDS[name].load_platform()
    assert str(missing.value) == "amaranth-boards is missing: pip install 'stochastor[fpga]'"
