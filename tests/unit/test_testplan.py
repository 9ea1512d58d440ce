import ast
import re
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]
PLAN = TESTS / "testplan.md"
NAME = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)+)`")


def rows():
    """Promise and tests of every row of the plan."""
    cells = [line.strip("| ").split(" | ", 1) for line in PLAN.read_text().splitlines() if line.startswith("| ")]
    return [row for row in cells if row != ["promise", "test"]]


def planned():
    return [name for row in rows() for name in NAME.findall(row[-1])]


def written():
    """Every test function and method under tests/unit, tests/cosim and tests/formal."""
    names = []
    for folder in ("unit", "cosim", "formal"):
        for path in sorted((TESTS / folder).rglob("test_*.py")):
            file = path.relative_to(TESTS.parent).as_posix()
            names += [f"{file}::{name}" for name in functions_of(ast.parse(path.read_text()))]
    return names


def functions_of(scope):
    names = []
    for node in scope.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            names.append(node.name)
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            names += [f"{node.name}::{name}" for name in functions_of(node)]
    return names


def test_every_test_in_the_plan_exists():
    assert sorted(set(planned()) - set(written())) == []


def test_every_test_is_in_the_plan():
    assert sorted(set(written()) - set(planned())) == []


def test_no_test_hides_another_of_its_name():
    assert [name for name, times in Counter(written()).items() if times > 1] == []


def test_every_promise_names_its_tests_and_nothing_else():
    wrong = [row for row in rows() if len(row) != 2 or not row[0] or NAME.sub("", row[1]).strip(", ") or not row[1]]
    assert wrong == []


def test_every_promise_is_made_once():
    assert [promise for promise, times in Counter(row[0] for row in rows()).items() if times > 1] == []


def test_tests_are_found_in_classes_and_coroutines():
    source = "class TestA:\n    def test_b(self): ...\n    def c(self): ...\nasync def test_d(dut): ...\ndef e(): ..."
    assert functions_of(ast.parse(source)) == ["TestA::test_b", "test_d"]
