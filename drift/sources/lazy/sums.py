"""Counts of a plain frame: one row of sums, the numbers of x >= e, for all columns at once.

Categories are sums of equality where the axis knows few of them, else one grouping a column.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import narwhals as nw

from drift.errors import AxisError, SourceError
from drift.histogram import Axis, CategoricalAxis, Fault, Histogram, Kind, NumericAxis, Profile, Uncounted
from drift.histogram.counting import ceiling, histogram_of_cumulative, histogram_of_keys, histogram_of_presence
from drift.sources.lazy.backends.backend import Question
from drift.sources.lazy.plain_columns import ColumnForm, PlainFrame
from drift.sources.lazy.segments import Split

FEW: Final = 12
"""Up to so many names are counted by sums of equality, more by a grouping."""
MAX_SUMS: Final = 2_000
"""Sums in one query: engines compile them, and give up on programs without end."""
MAX_GROUPS: Final = 100_000
"""Names that are fetched at once; of a column with more, only those that the axis knows."""

Sums = Sequence[int]
Finish = Callable[[Sums, int, int], Histogram]


@dataclass(frozen=True, slots=True)
class _Part:
    """One column's share of the row of sums: presence first, and how a histogram is made of the rest."""

    name: str
    form: ColumnForm
    sums: list[Question]
    finish: Finish


def counted(table: PlainFrame, axes: Mapping[str, Axis], by: Split | None) -> dict[str, Profile]:
    """A profile for each label of a split, and "" for all rows."""
    lost: dict[str, Uncounted] = {}
    parts = []
    for name, axis in axes.items():
        form = table.forms.get(name, Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is not in the data"))
        if isinstance(form, Uncounted):
            lost[name] = form
        else:
            parts.append(_part(name, form, axis))
    labels = [""] if by is None else by.labels
    found: dict[str, dict[str, Histogram]] = {label: {} for label in labels}
    rows = dict.fromkeys(labels, 0)
    for i, batch in enumerate(_batches(parts)):
        for label, sums in _row_of_sums(table, batch, by).items():
            rows[label] = _same(rows[label], sums[0]) if i else sums[0]
            found[label].update(_histograms(batch, axes, sums, lost))
    grouped = {part.name for part in parts if _is_grouped(part.form, axes[part.name])} - set(lost)
    for name in grouped:
        axis, form = axes[name], table.forms[name]
        if isinstance(axis, CategoricalAxis) and isinstance(form, ColumnForm):
            for label, histogram in _group(table, form, axis, by).items():
                _same(rows[label], histogram.rows)
                found[label][name] = histogram
    ordered = {k: {name: h[name] for name in axes if name in h and name not in lost} for k, h in found.items()}
    profiles = {label: Profile(ordered[label], rows[label], lost) for label in labels}
    if "" not in profiles:
        profiles = {"": _whole(list(profiles.values()), rows, lost), **profiles}
    return profiles


def _whole(parts: list[Profile], rows: Mapping[str, int], lost: Mapping[str, Uncounted]) -> Profile:
    """All segments of one column together."""
    total = {name: sum((part[name] for part in parts[1:]), parts[0][name]) for name in parts[0]}
    return Profile(total, sum(rows.values()), lost)


def _same(before: int, now: int) -> int:
    if before != now:
        raise SourceError(f"rows changed while they were counted ({before} at first, then {now}); count a fixed table")
    return now


def _batches(parts: list[_Part]) -> list[list[_Part]]:
    batches: list[list[_Part]] = [[]]
    for part in parts:
        if batches[-1] and sum(len(p.sums) for p in batches[-1]) + len(part.sums) > MAX_SUMS:
            batches.append([])
        batches[-1].append(part)
    return batches


def _row_of_sums(table: PlainFrame, parts: list[_Part], by: Split | None) -> dict[str, list[int]]:
    """By label: the number of rows, then the sums of all parts in their order."""
    asked = {f"s{i}": question for i, question in enumerate(question for part in parts for question in part.sums)}
    frame, keys = (table.frame, []) if by is None else (by.place(table.frame), ["label"])
    found = table.count(frame, keys, asked)
    # Without rows a grouping gives none, and sums are null.
    sums = {label: [0] * (len(asked) + 1) for label in ([""] if by is None else by.labels)}
    for row in found.select([*keys, "n", *asked]).to_pylist():
        label = "" if by is None else by.labels[row.pop("label")]
        sums[label] = [int(value or 0) for value in row.values()]
    return sums


def _histograms(
    parts: list[_Part], axes: Mapping[str, Axis], sums: list[int], lost: dict[str, Uncounted]
) -> dict[str, Histogram]:
    histograms = {}
    at = 1
    for part in parts:
        present, *rest = sums[at : at + len(part.sums)]
        at += len(part.sums)
        missing = sums[0] - present
        if present == 0 or axes[part.name].kind is Kind.EMPTY:
            histograms[part.name] = histogram_of_presence(axes[part.name], present, missing)
            continue
        try:
            histograms[part.name] = part.finish(rest, present, missing)
        except AxisError as error:
            lost[part.name] = Uncounted(Fault.SCHEMA_ERROR, str(error))
    return histograms


def _part(name: str, form: ColumnForm, axis: Axis) -> _Part:
    present = Question(form.alias, "there", form.type)
    if not axis.kind.accepts(form.kind):
        return _Part(name, form, [present], _refuse(form, axis))
    if form.kind is Kind.EMPTY:  # and so nothing is present
        return _Part(name, form, [present], lambda _, n, lost: histogram_of_presence(axis, n, lost))
    if isinstance(axis, NumericAxis) and form.kind.ordered and axis.edges:
        return _ordered(name, form, axis, present)
    if isinstance(axis, CategoricalAxis) and not _is_grouped(form, axis):
        names = _names(axis)
        sums = [Question(form.alias, "just", form.type, key) for key in names]
        return _Part(name, form, [present, *sums], lambda found, n, lost: _of_names(axis, names, found, n, lost))
    return _Part(name, form, [present], lambda _, n, lost: histogram_of_presence(axis, n, lost))


def _refuse(form: ColumnForm, axis: Axis) -> Finish:
    def finish(*_: Any) -> Histogram:
        raise AxisError(f"expected {axis.kind.value} values as in the reference, got {form.kind.value}")

    return finish


def _ordered(name: str, form: ColumnForm, axis: NumericAxis, present: Question) -> _Part:
    """A limit that the column's type does not reach is no question: all values, or none, are at least that."""
    sums = [present]
    where: list[int | None] = []  # which sum answers for each edge; None: none is at least that
    for edge in axis.edges:
        limit = ceiling(edge, form.step)
        if form.reach is not None and limit > form.reach[1]:
            where.append(None)
        elif form.reach is not None and limit <= form.reach[0]:
            where.append(0)
        else:
            where.append(len(sums))
            sums.append(Question(form.alias, "at least", form.type, _literal(limit, form)))

    def finish(found: Sums, n: int, missing: int) -> Histogram:
        every = [n, *found]
        return histogram_of_cumulative(axis, [0 if i is None else every[i] for i in where], n, missing)

    return _Part(name, form, sums, finish)


def _literal(limit: int | float, form: ColumnForm) -> Any:
    if not isinstance(form.type, nw.Decimal):
        return limit
    digits = Decimal(int(limit)).as_tuple()
    return Decimal((digits.sign, digits.digits, -form.type.scale))  # arithmetic would round to 28 digits


def _names(axis: CategoricalAxis) -> list[Any]:
    return [*axis.categories, *(axis.rare or ())]


def _is_grouped(form: ColumnForm, axis: Axis) -> bool:
    return isinstance(axis, CategoricalAxis) and axis.kind is form.kind and len(_names(axis)) > FEW


def _of_names(axis: CategoricalAxis, names: list[Any], found: Sums, present: int, missing: int) -> Histogram:
    """What is none of the names is unseen (or other)."""
    counts = histogram_of_keys(axis, zip(names, found, strict=True), missing).counts.copy()
    counts[-2] += present - sum(found)
    return Histogram(axis, counts)


def _group(table: PlainFrame, form: ColumnForm, axis: CategoricalAxis, by: Split | None) -> dict[str, Histogram]:
    """How often each name occurs, by label, from one grouping of a column."""
    frame = table.frame if by is None else by.place(table.frame)
    keys = [form.alias] if by is None else ["label", form.alias]
    found = table.fetch(frame.group_by(keys).agg(nw.len().alias("n")).head(MAX_GROUPS + 1))
    if found.num_rows > MAX_GROUPS:
        known = nw.col(form.alias).is_in(_names(axis))
        # What the axis does not know is one name that it does not know either.
        key = nw.when(known | nw.col(form.alias).is_null()).then(nw.col(form.alias)).otherwise(nw.lit(_stranger(axis)))
        found = table.fetch(frame.with_columns(key.alias(form.alias)).group_by(keys).agg(nw.len().alias("n")))
    pairs: dict[str, list[tuple[Any, int]]] = {label: [] for label in ([""] if by is None else by.labels)}
    for row in found.to_pylist():
        pairs["" if by is None else by.labels[row["label"]]].append((row[form.alias], int(row["n"])))
    return {
        label: histogram_of_keys(
            axis, [pair for pair in listed if pair[0] is not None], sum(n for key, n in listed if key is None)
        )
        for label, listed in pairs.items()
    }


def _stranger(axis: CategoricalAxis) -> str:
    return "?" * (1 + max((len(name) for name in _names(axis)), default=0))
