"""``stochastor board program``: what it asks of openFPGALoader, and what it refuses."""

import json
import stat
import sys

import pytest
from stochastor.cli.main import run

LOADER = """#!{python}
import json, pathlib, sys
pathlib.Path({log!r}).write_text(json.dumps(sys.argv[1:]))
sys.exit({code})
"""


def program(*arguments):
    """Exit code of ``stochastor board program``."""
    with pytest.raises(SystemExit) as leaving:
        run(["board", "program", *map(str, arguments)])
    return leaving.value.code or 0


@pytest.fixture
def loader(tmp_path, monkeypatch):
    """Installs a loader that leaves with a code; returns how to see what it was asked for."""

    def install(code=0):
        path = tmp_path / "loader"
        path.write_text(LOADER.format(python=sys.executable, log=str(tmp_path / "asked"), code=code))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("OPENFPGALOADER", str(path))
        return lambda: json.loads((tmp_path / "asked").read_text())

    return install


@pytest.fixture
def built(tmp_path):
    """Makes what a build for a board leaves."""

    def make(board, bitstream):
        directory = tmp_path / board
        directory.mkdir()
        (directory / "build.json").write_text(json.dumps({"board": board}))
        (directory / bitstream).write_bytes(b"bits")
        return directory

    return make


def test_a_bitstream_goes_into_memory_unless_flash_is_asked_for(loader, built):
    asked = loader()
    directory = built("ulx3s_85f", "stochastor.bit")
    assert program(directory) == 0
    assert asked() == ["--board", "ulx3s", "--write-sram", str(directory / "stochastor.bit")]
    assert program(directory, "--flash") == 0
    assert asked() == ["--board", "ulx3s", "--write-flash", str(directory / "stochastor.bit")]


def test_an_ice40_is_loaded_by_its_flash(loader, built):
    asked = loader()
    directory = built("icebreaker", "stochastor.bin")
    assert program(directory) == 0
    assert asked() == ["--board", "ice40_generic", "--write-flash", str(directory / "stochastor.bin")]


def test_a_missing_loader_is_named_with_the_line_that_installs_it(built, monkeypatch, capsys):
    monkeypatch.setenv("OPENFPGALOADER", "/no/such/loader")
    assert program(built("ulx3s_85f", "stochastor.bit")) == 3
    assert "/no/such/loader is missing: apt-get install openfpgaloader" in capsys.readouterr().err


def test_a_loader_that_fails_is_an_error(loader, built, capsys):
    loader(code=1)
    assert program(built("ulx3s_85f", "stochastor.bit")) == 3
    assert "openFPGALoader failed with exit code 1" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "not JSON", "{}"])
def test_a_directory_without_a_build_is_refused(loader, tmp_path, content, capsys):
    loader()
    if content is not None:
        (tmp_path / "build.json").write_text(content)
    assert program(tmp_path) == 2
    assert "stochastor build writes" in capsys.readouterr().err
