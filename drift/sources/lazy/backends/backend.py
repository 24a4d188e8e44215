"""What each backend of lazy frames provides, and the conditions that it counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw

SelectedColumns = Sequence[tuple[str, str, Any]]
"""Name, alias and Narwhals type of some columns."""
BackendRules = Mapping[str, Callable[[Any], Any]]
"""How a column becomes plain, by the rule's name."""


@dataclass(frozen=True, slots=True)
class Backend:
    """The operations that differ between backends.

    Parameters
    ----------
    select : callable
        From a native frame and the columns to select: a native frame of plain columns.
    unit : callable
        From the type of a column of times: the unit of its plain column.
    unknown : callable
        From a native frame and the name of a column whose type Narwhals does not know: the Narwhals type if drift knows
        it; None for the type that holds only nulls; else the type's name.
    sample : callable
        From a native frame, a share and a seed: about that share of its rows.
    count : callable
        From a Narwhals frame, grouping keys and conditions by name: a frame with the number of rows ("n") and the
        number of rows that meet each condition, for each group; for all rows if there are no keys.
    """

    select: Callable[[Any, SelectedColumns], Any]
    unit: Callable[[Any], str]
    unknown: Callable[[Any, str], Any]
    sample: Callable[[Any, float, int], Any]
    count: Callable[[Any, Sequence[str], Mapping[str, "Condition"]], Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a plain column; a missing value meets none."""

    alias: str  # the column
    test: Literal["present", ">=", "=="]  # there is a value, or it is compared with `value`
    type: Any  # Narwhals type of the column and of `value`
    value: Any = None


def make_plain(rules: BackendRules, column: Any, dtype: Any) -> Any:
    """Return a column as a plain one, by the rule for its type."""
    rule = rules.get(_rule_name(dtype))
    return column if rule is None else rule(column)


def _rule_name(dtype: Any) -> str:
    if dtype is None:
        return "nulls"
    if isinstance(dtype, nw.Datetime):
        return "local time" if dtype.time_zone is None else "instant"
    if dtype.is_float():
        return "float"
    types: dict[str, Any] = {
        "text": nw.Categorical | nw.Enum,
        "date": nw.Date,
        "time": nw.Time,
        "duration": nw.Duration,
    }
    return next((rule for rule, type_ in types.items() if isinstance(dtype, type_)), "unchanged")


def count_conditions(frame: Any, keys: Sequence[str], conditions: Mapping[str, Condition]) -> Any:
    """Count by sums of booleans: as integers, they took Polars four times and DuckDB three times as long."""
    rows, sums = nw.len().alias("n"), [_boolean(each).sum().alias(name) for name, each in conditions.items()]
    return frame.group_by(keys).agg(rows, *sums) if keys else frame.select(rows, *sums)


def _boolean(condition: Condition) -> nw.Expr:
    column, value = nw.col(condition.alias), nw.lit(condition.value, condition.type)
    if condition.test == "present":
        return ~column.is_null()
    return column >= value if condition.test == ">=" else column == value
