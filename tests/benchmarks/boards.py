"""Builds the machines of docs/boards.md and prints its tables: `python tests/benchmarks/boards.py [NAME ...]`.

What was built earlier stays in build/boards and is in the tables, too; --print builds nothing.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

OUT = Path("build/boards")
MACHINES = {
    "icebreaker": ["--board", "icebreaker", "--preset", "small", "--no-counters", "--frequency-mhz", "20"],
    "hx8k": ["--board", "ice40_hx8k_b_evn", "--preset", "small"],
    "ulx3s_25f": ["--board", "ulx3s_25f", "--preset", "small", "--frequency-mhz", "40"],
    "ulx3s_85f_66": ["--board", "ulx3s_85f", "--preset", "mnist", "--frequency-mhz", "66", "--seed", "2"],
    "ulx3s_85f": ["--board", "ulx3s_85f", "--preset", "mnist", "--frequency-mhz", "80", "--no-memory"],
}
PINS = {
    "ulx3s_85f_pins": ["--board", "ulx3s_85f", "--no-memory"],
    "hx8k_pins": ["--board", "ice40_hx8k_b_evn"],
}
ARRAY = ["--array", "pins", "--config", Path(__file__).with_name("array.toml"), "--data", "random"]
FIGURES = {
    "LUTs": "luts",
    "FFs": "flip_flops",
    "RAM": "block_rams",
    "fastest, MHz": "fmax_mhz",
    "clock, MHz": "frequency_mhz",
    "cycles a sample": "cycles_per_sample",
    "samples/s, core": "core_samples_per_second",
    "samples/s, link": "link_samples_per_second",
    "samples/s, replayed": "replay_samples_per_second",
    "seed": "seed",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MACHINES | PINS))
    parser.add_argument("--mnist", default="mnist", help="where MNIST is, as --data takes it")
    parser.add_argument("--print", action="store_true", help="build nothing")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(MACHINES | PINS):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(MACHINES | PINS)}")
    for name in () if asked.print else asked.names or MACHINES | PINS:
        command = [Path(sys.executable).with_name("stochastor"), "build", *(MACHINES | PINS)[name], "--out", OUT / name]
        command += ARRAY if name in PINS else ["--data", asked.mnist if "mnist" in MACHINES[name] else "digits"]
        if code := subprocess.run(command, check=False, stdout=sys.stderr).returncode:
            sys.exit(code)
    tools = table(MACHINES)
    print("\nwith arrays on pins\n")
    tools |= table(PINS)
    print("\n" + "; ".join(sorted(tools)))


def table(machines):
    """Print what was built of `machines`; returns the tools and their releases."""
    print("| command |", " | ".join(FIGURES), "|")
    print("|---" * (1 + len(FIGURES)) + "|")
    tools = set()
    for name, options in machines.items():
        if not (OUT / name / "build.json").exists():
            continue
        figures = json.loads((OUT / name / "build.json").read_text())
        tools |= {f"{tool}: {release}" for tool, release in figures["tools"].items()}
        print(
            f"| `{' '.join(options)}` |",
            " | ".join(f"{figures[key]:,}" if key in figures else "" for key in FIGURES.values()),
            "|",
        )
    return tools


if __name__ == "__main__":
    main()
