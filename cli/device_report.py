"""The studies of devices as tables in Markdown."""

from collections.abc import Sequence
from typing import NamedTuple

from ..model.study import VOTES, Figure, Outcome, Row, Study
from ..sim.array.learners import PULSE_ENERGY, PULSES, ArrayLearner, InSituLearner
from ..sim.array.remedies import remedies
from ..sim.array.studies import MACHINES, SERIES, Nonideality, level_label, nonidealities
from .reproducing import Outcomes
from .study_report import describe_config, in_percent, table_line, words

PREFIXES = ((1e-15, "f"), (1e-12, "p"), (1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""))
ACCURACY = "16 votes, or float, %"


class Column(NamedTuple):
    """A figure of outcomes, and how a table shows it."""

    figure: str
    title: str
    unit: str


# Figures that no learner has make no column.
COLUMNS = (
    Column(PULSES, "pulses a sample", ""),
    Column(PULSE_ENERGY, "energy of pulses a sample", "J"),
)


def accuracy_of(outcomes: Sequence[Outcome]) -> Figure:
    """Accuracy by 16 votes, or of a float learner."""
    return Figure.of([outcome.accuracy.get(VOTES, outcome.accuracy.get(0, 0.0)) for outcome in outcomes])


def devices_markdown(study: Study, outcomes: Outcomes) -> str:
    """The table of the study of devices: accuracy, pulses and energy of every learner on every array."""
    trained = [outcomes[row.group, row.label] for row in study.rows]
    columns = [column for column in COLUMNS if any(column.figure in each[0].figures for each in trained)]
    header = ["array", "learner", "settings", "epochs", ACCURACY, *(column.title for column in columns)]
    body, last = [], None
    for row, each in zip(study.rows, trained, strict=True):
        group = "" if row.group == last else row.group
        figures = [_shown(column, each) for column in columns]
        body.append([group, row.label, _settings(row), _epochs(row), in_percent(accuracy_of(each)), *figures])
        last = row.group
    return _table(_title(study), header, body)


def nonidealities_markdown(study: Study, outcomes: Outcomes) -> str:
    """The table of the study of non-idealities: accuracy of each series by level."""
    series = list(SERIES)
    used = [name for name in series if any(name in kind.series for kind in nonidealities())]
    body = []
    for kind in nonidealities():
        for level in kind.levels:
            accuracies = [_of_level(kind, level_label(level, name), outcomes) for name in used]
            title = f"{kind.title}, {kind.unit}" if kind.unit else kind.title
            body.append([title if level is kind.levels[0] else "", level.label, *accuracies])
    settings = [f"{SERIES[name]}: {_first_settings(study, name)}." for name in used]
    header = ["non-ideality", "level", *(SERIES[name] for name in used)]
    return _table("\n".join([_title(study), *settings]), header, body)


def remedies_markdown(study: Study, outcomes: Outcomes) -> str:
    """The table of what helps against mismatch and soft bounds: accuracy and pulses of each machine by remedy."""
    body = []
    for kind in remedies():
        for level in kind.levels:
            cells = []
            for name in MACHINES:
                found = outcomes[kind.title, level_label(level, name)]
                cells += [in_percent(accuracy_of(found)), _shown(COLUMNS[0], found)]
            body.append([kind.title if level is kind.levels[0] else "", level.label, *cells])
    settings = [f"{SERIES[name]}: {_first_settings(study, name)}." for name in MACHINES]
    header = ["devices", "what is done"]
    for label in MACHINES.values():
        header += [label, COLUMNS[0].title]
    return _table("\n".join([_title(study), *settings]), header, body)


def in_units(value: float, unit: str) -> str:
    """Three digits with the prefix that fits, such as 1.23 nJ."""
    if not unit:
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    factor, prefix = next(
        ((factor, prefix) for factor, prefix in reversed(PREFIXES) if abs(value) >= factor), PREFIXES[0]
    )
    return f"{value / factor:.3g} {prefix}{unit}"


def _title(study: Study) -> str:
    seeds = ", ".join(map(str, study.seeds))
    if len(study.seeds) == 1:
        return f"Accuracy on {study.evaluated_on}, in per cent, seed {seeds}."
    return f"Accuracy on {study.evaluated_on}, in per cent, mean ± standard deviation over the seeds {seeds}."


def _table(title: str, header: list[str], body: list[list[str]]) -> str:
    lines = [title, "", table_line(header), table_line(["---"] * len(header)), *map(table_line, body)]
    return "\n".join(lines) + "\n"


def _shown(column: Column, outcomes: Sequence[Outcome]) -> str:
    values = [outcome.figures[column.figure] for outcome in outcomes if column.figure in outcome.figures]
    return in_units(Figure.of(values).mean, column.unit) if values else ""


def _of_level(kind: Nonideality, label: str, outcomes: Outcomes) -> str:
    found = outcomes.get((kind.title, label))
    return in_percent(accuracy_of(found)) if found else ""


def _first_settings(study: Study, series: str) -> str:
    """Settings of the first row of a series."""
    return next(_settings(row) for row in study.rows if row.label.endswith(f": {SERIES[series]}"))


def _settings(row: Row) -> str:
    learner = row.learner
    if isinstance(learner, ArrayLearner):
        return ", ".join(describe_config(learner.config))
    assert isinstance(learner, InSituLearner)
    shape = "-".join(map(str, learner.sizes))
    return ", ".join([shape, *(f"{words(name)} {value}" for name, value in learner.options.items())])


def _epochs(row: Row) -> str:
    learner = row.learner
    assert isinstance(learner, ArrayLearner | InSituLearner)
    return str(learner.config.epochs if isinstance(learner, ArrayLearner) else learner.epochs)
