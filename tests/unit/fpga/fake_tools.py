"""Programs that stand for Yosys, nextpnr and the packers: they leave the files that a build reads."""

import json
import stat
import sys
from pathlib import Path

SCRIPT = """#!{python}
import json, pathlib, sys
name = pathlib.Path(sys.argv[0]).name
pathlib.Path({log!r}).open("a").write(json.dumps([name, *sys.argv[1:]]) + "\\n")
if "-V" in sys.argv or "--version" in sys.argv:
    print({release!r})
    sys.exit()
behaviour = json.loads(pathlib.Path({behaviour!r}).read_text())
if name in behaviour.get("fails", ()):
    print(behaviour.get("complaint", "ERROR: cannot go on"))
    sys.exit(1)
for file, content in behaviour[name].items():
    pathlib.Path(file).write_text(content if isinstance(content, str) else json.dumps(content))
if name.startswith("nextpnr"):
    seed = sys.argv[sys.argv.index("--seed") + 1]
    report = json.loads(pathlib.Path("report.json").read_text())
    for clock in report["fmax"].values():
        clock["achieved"] += behaviour.get("gain", {{}}).get(seed, 0.0)
    pathlib.Path("report.json").write_text(json.dumps(report))
    print("Info: Packing constants..")
    print("Info: Routing..")
"""

CLOCK = "$glbnet$clk12_0__io"


class FakeTools:
    """Makes the programs in a directory, and tells what they were called with.

    Parameters
    ----------
    directory : Path
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = directory / "log"
        self._behaviour = directory / "behaviour.json"
        self.behaviour = {
            "yosys": {
                "cells.json": {"design": {"num_cells_by_type": {"SB_DFF": 30, "SB_DFFESR": 12, "SB_LUT4": 99}}},
                "memories.txt": "".join(
                    f"stochastor/board.trainer.layer{layer}.crossbar.weights.0.0_RAM\n" for layer in (1, 2)
                ),
                "stochastor.json": {},
            },
            "nextpnr-ice40": {"report.json": report(), "stochastor.asc": "asc"},
            "icepack": {"stochastor.bin": "the bits"},
        }

    def install(self, environment) -> None:
        """Make the programs, and name them in `environment`."""
        self.save()
        for name in self.behaviour:
            path = self._directory / name
            values = {"log": str(self._log), "behaviour": str(self._behaviour), "release": "Yosys 9.99"}
            path.write_text(SCRIPT.format(python=sys.executable, **values))
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
            environment.setenv(name.upper().replace("-", "_"), str(path))

    def save(self) -> None:
        """Let the programs behave as `behaviour` says now."""
        self._behaviour.write_text(json.dumps(self.behaviour))

    def calls(self, name):
        """Arguments of each call of the program `name`, the one for its release left out."""
        called = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [call[1:] for call in called if call[0] == name and not {"-V", "--version"} & set(call)]


def report(achieved=20.0):
    """What nextpnr reports of a design that reaches `achieved` MHz."""
    start, through, end = "board.trainer.layer1.crossbar.fetched", "board.trainer.layer1.x", "board.trainer.layer2.busy"
    step = {"delay": 20.0, "type": "logic"}
    return {
        "fmax": {CLOCK: {"achieved": achieved, "constraint": 12.0}},
        "utilization": {
            "ICESTORM_LC": {"used": 123, "available": 5280},
            "ICESTORM_RAM": {"used": 7, "available": 30},
        },
        "critical_paths": [
            {"from": "<async>", "to": f"posedge {CLOCK}", "path": []},
            {
                "from": f"posedge {CLOCK}",
                "to": f"posedge {CLOCK}",
                "path": [
                    step | {"from": {"cell": f"{start}_SB_DFFE_Q_3_DFFLC"}, "to": {"cell": "a"}, "type": "clk-to-q"},
                    step | {"from": {"cell": "a"}, "to": {"cell": "b"}, "type": "routing", "net": f"{through}[2]"},
                    step | {"from": {"cell": "b"}, "to": {"cell": f"{end}_SB_LUT4_O_LC"}, "type": "setup"},
                ],
            },
        ],
    }
