"""What can be wrong with what the user gave; each message is one line: what, where, and what would be right."""


class StochastorError(Exception):
    """Base of every error that is the user's to mend.

    ``exit_code`` is what the ``stochastor`` command returns for it.
    """

    exit_code = 2


class ConfigError(StochastorError, ValueError):
    """A configuration that no machine can have."""


class DataError(StochastorError, ValueError):
    """A data set that cannot be read, or does not fit the machine."""


class RunError(StochastorError, ValueError):
    """A run directory that is missing, damaged, or of another configuration."""


class ToolError(StochastorError, RuntimeError):
    """A tool that is missing or failed."""

    exit_code = 3


class BoardError(StochastorError, RuntimeError):
    """A board that cannot be reached, or is not the one wanted."""


class RefusedError(BoardError):
    """A board that has no such command, or no room for what it is asked."""


class LinkLostError(BoardError):
    """A board that answered, and does not any more."""

    exit_code = 3


class BoardResetError(BoardError):
    """A board that was reset: its state is not what the host left in it."""

    exit_code = 3
