"""What the Makefile promises elsewhere."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_table_of_the_boards_page_is_printed_by_make_boards():
    wanted = set(re.findall(r"tests/benchmarks/\w+\.py", (ROOT / "docs" / "boards.md").read_text()))
    command = ["make", "--dry-run", "boards", "MNIST=idx:elsewhere"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert wanted == set(re.findall(r"tests/benchmarks/\w+\.py", told))
    assert re.findall(r"--(?:data|mnist) (\S+)", told) == ["idx:elsewhere"] * 3
