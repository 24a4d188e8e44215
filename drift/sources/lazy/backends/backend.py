"""What is said differently on each backend, and what is asked of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw

Wanted = Sequence[tuple[str, str, Any]]
BackendRules = Mapping[str, Callable[[Any], Any]]


@dataclass(frozen=True, slots=True)
class Backend:
    """What is said differently on each.

    Parameters
    ----------
    select : callable
        From a native frame, and (name, alias, type) of some columns: a native frame of plain columns.
    unit : callable
        From the type of a column of times: the unit that its plain column counts.
    unknown : callable
        From a native frame and the name of a column whose type Narwhals does not know: the type, if we do; None
        is the type that holds nothing; else its name.
    sample : callable
        From a native frame, a share and a seed: about that share of its rows.
    count : callable
        From a Narwhals frame, keys and questions by name: a frame of the number of rows ("n") and the number of rows
        of which each is true, for each group of rows with the same keys; of all rows where there are none.
    """

    select: Callable[[Any, Wanted], Any]
    unit: Callable[[Any], str]
    unknown: Callable[[Any, str], Any]
    sample: Callable[[Any, float, int], Any]
    count: Callable[[Any, Sequence[str], Mapping[str, "Question"]], Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a plain column in every row; where the value is missing, none is true.

    Parameters
    ----------
    alias : str
        The column.
    asks : str
        "there": is there a value? "at least": is it >= `value`? "just": is it == `value`?
    type : narwhals data type
        Of the column, and of `value`.
    value : int, float, Decimal, bool or str, optional
        Of that type.
    """

    alias: str
    asks: Literal["there", "at least", "just"]
    type: Any
    value: Any = None


def plain(rules: BackendRules, column: Any, dtype: Any) -> Any:
    """A column by the rule for its type."""
    rule = rules.get(_treatment(dtype))
    return column if rule is None else rule(column)


def _treatment(dtype: Any) -> str:
    """By which of a backend's rules a column becomes plain; "as it is" where there is none."""
    if dtype is None:
        return "nothing"
    if isinstance(dtype, nw.Datetime):
        return "wall clock" if dtype.time_zone is None else "instant"
    if dtype.is_float():
        return "float"
    named: dict[str, Any] = {
        "text": (nw.Categorical, nw.Enum),
        "date": nw.Date,
        "time": nw.Time,
        "duration": nw.Duration,
    }
    return next((rule for rule, type_ in named.items() if isinstance(dtype, type_)), "as it is")


def count(frame: Any, keys: Sequence[str], asked: Mapping[str, Question]) -> Any:
    """Polars and DuckDB add up truth values as they are; as integers they took four and three times as long."""
    rows, truths = nw.len().alias("n"), [_truth(question).sum().alias(name) for name, question in asked.items()]
    return frame.group_by(keys).agg(rows, *truths) if keys else frame.select(rows, *truths)


def _truth(question: Question) -> nw.Expr:
    column, value = nw.col(question.alias), nw.lit(question.value, question.type)
    if question.asks == "there":
        return ~column.is_null()
    return column >= value if question.asks == "at least" else column == value
