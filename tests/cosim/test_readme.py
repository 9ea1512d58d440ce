"""What the README shows must work as it stands there."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from stochastor.cli.main import app

README = (Path(__file__).parents[2] / "README.md").read_text()
COMMANDS = re.findall(r"^    (stochastor .*?)(?:  +#.*)?$", README, flags=re.MULTILINE)


def test_the_python_of_the_readme_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_the_score_of_the_readme_is_the_one_printed(capsys: pytest.CaptureFixture[str]) -> None:
    block, score = re.search(r"```python\n(.*?print.*?)# ([0-9.]+)\n```", README, flags=re.DOTALL).groups()
    exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == score


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_readme_has_the_options_it_shows(line: str) -> None:
    _, name, *arguments = shlex.split(line)
    command = typer.main.get_command(app).commands[name]
    if isinstance(command, typer.core.TyperGroup):
        command = command.commands[arguments[0]]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {argument for argument in arguments if argument.startswith("--")} <= known


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", README)
    assert len(links) > 3
    for link in links:
        assert (Path(__file__).parents[2] / link).exists()
