"""The command `drift compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.options import Fail, FailOn
from drift.cli.output import (
    exit_status,
    format_count,
    format_p_cell,
    print_json,
    print_status,
    print_table,
    print_text,
)

if TYPE_CHECKING:
    from drift.api.comparison import Comparison
    from drift.monitors.comparison import ColumnResult


def compare_command(
    reference: Annotated[str, typer.Argument(help="Reference data, Parquet or CSV: a path, or a quoted glob.")],
    live: Annotated[str, typer.Argument(help="Live data to compare with it.")],
    metric: Annotated[str, typer.Option(help="Divergence, such as js_distance or psi.")] = "js_distance",
    threshold: Annotated[
        float | None, typer.Option(help="Score from which it is drift; default: that of the metric.")
    ] = None,
    smoothing: Annotated[str | None, typer.Option(help="none, jeffreys, laplace, perks, or a pseudo-count.")] = None,
    bins: Annotated[str, typer.Option(help="Binning: quantile, uniform, fd, doane or distinct.")] = "quantile",
    count: Annotated[int, typer.Option(help="Number of quantile or uniform bins.")] = 10,
    columns: Annotated[list[str] | None, typer.Option("--column", help="Only this column (repeatable).")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Not this column (repeatable).")] = None,
    json_to: Annotated[
        Path | None, typer.Option("--json", help="Write JSON to this file, or - for standard output.")
    ] = None,
    html_to: Annotated[Path | None, typer.Option("--html", help="Write a self-contained report to this file.")] = None,
    fail_on: Fail = FailOn.DRIFT,
) -> None:
    """Compare two data sets, column by column. Needs no configuration and no store."""
    from drift.api import compare
    from drift.histogram.binning import Bins

    comparison = compare(
        reference,
        live,
        metric=metric,
        threshold=threshold,
        smoothing=_smoothing(smoothing),
        bins=Bins(bins, count),
        include=columns or None,
        exclude=exclude,
    )
    if json_to is not None and str(json_to) == "-":
        print_json(comparison.to_dict())
    else:
        _print_comparison(comparison)
        if json_to is not None:
            comparison.save(json_to if json_to.suffix == ".json" else json_to.with_name(json_to.name + ".json"))
    if html_to is not None:
        print_status(f"wrote {comparison.save(html_to)}")
    raise typer.Exit(exit_status((result.verdict for result in comparison.columns), fail_on))


def _smoothing(text: str | None) -> str | float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _print_comparison(comparison: "Comparison") -> None:
    live, reference = (
        f"{label} ({side.rows:,} rows)"
        for label, side in zip(comparison.labels[::-1], (comparison.live, comparison.reference), strict=True)
    )
    rows = [
        (
            result.verdict.value,
            result.column,
            result.score,
            None if result.threshold is None else result.threshold.drift,
            result.noise_floor,
            format_p_cell(result.p_value),
            _explanation(result),
        )
        for result in comparison.columns
    ]
    heads = ("verdict", "column", comparison.metric, "threshold", "typical", "p", "what moved, or why not evaluated")
    spare = ("p", "typical", "threshold")
    print_table(f"{live} compared with {reference}", heads, rows, numeric=heads[2:6], spare=spare)
    for warning in comparison.warnings:
        print_text(f"note: {warning}")
    unjudged = sum(not result.verdict.is_conclusive for result in comparison.columns)
    more = f"; {format_count(unjudged, 'column')} could not be evaluated" if unjudged else ""
    print_text(f"{len(comparison.drifted)} of {len(comparison)} columns drifted{more}")


def _explanation(result: "ColumnResult") -> str:
    if result.scored and result.verdict.value in {"drift", "warn"}:
        return result.explanation
    return "" if result.verdict.value == "ok" else result.message
