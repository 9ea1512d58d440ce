"""The command line, as tests call it."""

import pytest
from stochastor.cli.main import run


def stochastor(*arguments: object) -> int:
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as leaving:
        run([str(argument) for argument in arguments])
    return int(leaving.value.code or 0)
