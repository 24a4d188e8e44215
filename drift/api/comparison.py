"""Result of `drift.compare`: its columns, as tables, documents and reports."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drift.histogram import Profile
from drift.histogram.binning import near_duplicates
from drift.monitors.comparison import ColumnResult
from drift.monitors.verdict import Verdict, worst

if TYPE_CHECKING:
    from drift.report import Page


@dataclass(frozen=True, slots=True)
class Comparison(Mapping[str, ColumnResult]):
    """Result of `compare`: one result for each column of either side, the most severe first.

    Parameters
    ----------
    metric : str
        The metric of columns without their own rule.
    reference, live : Profile
        The profiles of both sides.
    columns : tuple of ColumnResult
        The results in order of importance.
    labels : tuple of str
        Names of the reference and the live side.
    """

    metric: str
    reference: Profile
    live: Profile
    columns: tuple[ColumnResult, ...]
    labels: tuple[str, str] = ("reference", "live")

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the data: categories of the reference that differ only in case or white space."""
        axes = self.reference.axes.items()
        return tuple(f"{name}: {warning}" for name, axis in axes for warning in near_duplicates(axis))

    def __getitem__(self, column: str) -> ColumnResult:
        for result in self.columns:
            if result.column == column:
                return result
        raise KeyError(f"no column {column!r}; there are {', '.join(self)}")

    def __iter__(self) -> Iterator[str]:
        return (result.column for result in self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def verdict(self) -> Verdict:
        """The most severe verdict of the columns."""
        return worst(result.verdict for result in self.columns)

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of the columns that drifted."""
        return tuple(result.column for result in self.columns if result.verdict is Verdict.DRIFT)

    def to_dict(self) -> dict[str, Any]:
        """Return the document that ``drift compare --json -`` prints: strict JSON, stable keys."""
        from drift.report import comparison_document  # noqa: PLC0415 - quick `import drift`

        return comparison_document(self.metric, self.reference.rows, self.live.rows, self.columns, self.labels)

    def to_frame(self) -> Any:
        """Return one row for each column, as a data frame of pandas, Polars or PyArrow: the first that is installed."""
        rows = [_row(result) for result in self.columns]
        return _frame({name: [row[name] for row in rows] for name in (rows[0] if rows else {})})

    def page(self, now: datetime | None = None) -> "Page":
        """Return the report page of this comparison, generated at `now` (default: the current time)."""
        from drift.report import Page  # noqa: PLC0415 - charts load when first used

        return Page.from_results(
            self.columns,
            metric=self.metric,
            reference=(self.labels[0], self.reference.rows),
            live=(self.labels[1], self.live.rows),
            notes=self.warnings,
            generated_at=now or datetime.now(UTC),
        )

    def save(self, path: str | Path) -> Path:
        """Write a report; the suffix of the path is its format: .html (self-contained), .json, .md or .csv."""
        from drift.report import save  # noqa: PLC0415 - charts load when first used

        return save(self.page(), Path(path))

    def _repr_html_(self) -> str:
        from drift.report import render_fragment  # noqa: PLC0415 - charts load when first used

        return render_fragment(self.page())

    def __repr__(self) -> str:
        head = f"Comparison by {self.metric}: {len(self.drifted)} of {len(self)} columns drifted"
        lines = [f"  {c.verdict.value:<14} {c.column}: {c.message}" for c in self.columns]
        return "\n".join([head, *lines])


def _row(result: ColumnResult) -> dict[str, Any]:
    low, high = result.interval or (None, None)
    return {
        "column": result.column,
        "kind": None if result.kind is None else result.kind.value,
        "verdict": result.verdict.value,
        "score": result.score,
        "noise_floor": result.noise_floor,
        "p_value": result.p_value,
        "interval_low": low,
        "interval_high": high,
        "threshold": None if result.threshold is None else result.threshold.drift,
        "message": result.message,
    }


def _frame(table: dict[str, list[Any]]) -> Any:
    import importlib  # noqa: PLC0415

    for name in ("pandas", "polars"):
        try:
            return importlib.import_module(name).DataFrame(table)
        except ModuleNotFoundError:
            continue
    import pyarrow as pa  # noqa: PLC0415

    return pa.table(table)
