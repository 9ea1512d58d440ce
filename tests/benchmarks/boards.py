"""Builds the machines of docs/boards.md, and prints its table: `python tests/benchmarks/boards.py [NAME ...]`."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SMALL = """
sizes = [64, 32, 10]
scale = 32
gate = "fixed_window"
reference_bits = 9
lanes = 4
tables = 1
pixels_per_beat = 1
"""
MACHINES = {
    "icebreaker": ("icebreaker", SMALL, "digits"),
    "hx8k": ("ice40_hx8k_b_evn", SMALL, "digits"),
    "ulx3s": ("ulx3s_85f", "sizes = [784, 256, 10]", "mnist"),
}
COLUMNS = (
    "luts",
    "flip_flops",
    "block_rams",
    "fmax_mhz",
    "frequency_mhz",
    "cycles_per_sample",
    "core_samples_per_second",
    "link_samples_per_second",
)


def main(names):
    print("| board | machine |", " | ".join(COLUMNS), "|")
    print("|---" * (2 + len(COLUMNS)) + "|")
    for name in names or MACHINES:
        board, config, data = MACHINES[name]
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / "machine.toml").write_text(config)
            command = [Path(sys.executable).with_name("stochastor"), "build", "--board", board, "--data", data]
            command += ["--config", f"{scratch}/machine.toml", "--out", f"{scratch}/out"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            figures = json.loads((Path(scratch) / "out" / "build.json").read_text())
        sizes = "-".join(map(str, figures["config"]["sizes"]))
        print(f"| {board} | {sizes} |", " | ".join(f"{figures[column]:,}" for column in COLUMNS), "|", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
