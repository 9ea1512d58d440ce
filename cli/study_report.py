"""A study as a table in Markdown, and its place in a page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..model.config import Config, Gate
from ..model.errors import ConfigError
from ..model.files import write_whole
from ..model.study import VOTES, Figure, FloatLearner, MachineLearner, Row, Study
from ..model.variant import PLAIN
from .reproducing import Outcomes

PASSES_SHOWN = (1, VOTES, 64)
GATES = {Gate.RANDOM_WINDOW: "random window", Gate.FIXED_WINDOW: "fixed window", Gate.XOR: "xor"}
HEADER = ("compared", "learner", "settings", "epochs", "1 vote", "16 votes, or float", "64 votes")


class Line(NamedTuple):
    """A line of the table: a row of the study, or one of its numbers of passes."""

    group: str
    label: str
    settings: str
    epochs: int
    figures: dict[int, Figure]


def lines(study: Study, outcomes: Outcomes) -> Iterator[Line]:
    """The lines of the table; a row that was evaluated with many numbers of passes has one for each."""
    for row in study.rows:
        trained = outcomes[row.group, row.label]
        figures = {
            passes: Figure.of([outcome.accuracy[passes] for outcome in trained]) for passes in trained[0].accuracy
        }
        settings, epochs = describe(row), _epochs(row)
        if len(figures) <= len(PASSES_SHOWN):
            yield Line(row.group, row.label, settings, epochs, figures)
            continue
        for passes, figure in figures.items():
            votes = "1 vote" if passes == 1 else f"{passes} votes"
            yield Line(row.group, votes, settings, epochs, {VOTES: figure})


def markdown(study: Study, outcomes: Outcomes) -> str:
    """The table of a study: means and standard deviations over seeds, in per cent."""
    seeds = ", ".join(map(str, study.seeds))
    head = [
        f"Accuracy on {study.evaluated_on}, in per cent, mean ± standard deviation over the seeds {seeds}.",
        "",
        table_line(HEADER),
        table_line(["---"] * len(HEADER)),
    ]
    body = []
    last = None
    for line in lines(study, outcomes):
        one, sixteen, many = (line.figures.get(passes) for passes in PASSES_SHOWN)
        shown = [in_percent(figure) for figure in (one, sixteen or line.figures.get(0), many)]
        group = "" if line.group == last else line.group
        body.append(table_line([group, line.label, line.settings, str(line.epochs), *shown]))
        last = line.group
    return "\n".join([*head, *body]) + "\n"


def to_dict(study: Study, outcomes: Outcomes) -> dict[str, Any]:
    """All outcomes as plain values, as JSON takes them."""
    return {
        "study": study.name,
        "data": study.data,
        "validation": study.validation,
        "seeds": list(study.seeds),
        "rows": [
            {
                "group": row.group,
                "label": row.label,
                "learner": row.learner.to_dict(),
                "outcomes": [outcome.to_dict() for outcome in outcomes[row.group, row.label]],
            }
            for row in study.rows
        ],
    }


def insert_section(path: Path, study: Study, table: str) -> None:
    """Put `table` into a page, between the marks ``<!-- NAME -->`` and ``<!-- /NAME -->``.

    Raises
    ------
    ConfigError
        If the page has no such marks.
    OSError
        If it cannot be read or written.
    """
    text = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {study.name} -->", f"<!-- /{study.name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ConfigError(f"{path}: has no place for {study.name}: write a line {begin} and after it a line {end}")
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    write_whole(path, f"{before}\n\n{table}\n{after}".encode())


def describe(row: Row) -> str:
    """What a learner is set to, in a few words."""
    learner = row.learner
    if isinstance(learner, MachineLearner):
        return ", ".join([*describe_config(learner.config), *_describe_variant(learner)])
    if isinstance(learner, FloatLearner):
        shape = "-".join(map(str, learner.sizes))
        return ", ".join([shape, *(f"{words(name)} {value:g}" for name, value in learner.options.items() if value)])
    return ""


def describe_config(config: Config) -> Iterator[str]:
    """What is worth saying of a machine, in a few words each."""
    yield "-".join(map(str, config.sizes))
    if config.carry_digits > 1:
        yield f"{config.carry_digits} cells of {config.weight_bits} bits, base {config.carry_base}"
        if config.carry_pulses > 1:
            yield f"{config.carry_pulses} steps a carry"
        yield f"carry every {config.carry_period}"
        if config.carry_verify:
            yield f"verified by up to {config.carry_verify} pulses"
    else:
        yield f"{config.weight_bits} bits"
    if config.pulses_per_step > 1:
        yield f"{config.pulses_per_step} pulses a step"
    yield f"scale {config.scale}"
    yield GATES[config.gate]
    if config.input_draws > 1:
        yield f"{config.input_draws} input draws"


def _describe_variant(learner: MachineLearner) -> Iterator[str]:
    plain = PLAIN.to_dict()
    for name, value in learner.variant.to_dict().items():
        if value != plain[name]:
            yield f"{words(name)} {str(value).lower()}"


def words(name: str) -> str:
    """The name of a field as words."""
    return name.replace("_", " ")


def _epochs(row: Row) -> int:
    learner = row.learner
    return learner.config.epochs if isinstance(learner, MachineLearner) else getattr(learner, "epochs", 0)


def in_percent(figure: Figure | None) -> str:
    """Mean and deviation of a share, in per cent."""
    if figure is None:
        return ""
    deviation = "" if figure.deviation is None else f" ± {100 * figure.deviation:.2f}"
    return f"{100 * figure.mean:.2f}{deviation}"


def table_line(cells: list[str] | tuple[str, ...]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"
