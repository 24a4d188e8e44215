"""The command `drift compare`: two data sets, no configuration, no store."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.options import Fail, FailOn
from drift.cli.output import exit_status, format_p_cell, print_json, print_table, say

if TYPE_CHECKING:
    from drift.api.comparison import Comparison
    from drift.monitors.comparison import ColumnResult


def compare(
    reference: Annotated[str, typer.Argument(help="Parquet or CSV: a path, or a glob in quotes.")],
    live: Annotated[str, typer.Argument(help="What is held against it.")],
    metric: Annotated[str, typer.Option(help="The divergence.")] = "js_distance",
    threshold: Annotated[
        float | None, typer.Option(help="At or above it is drift; default: the customary one.")
    ] = None,
    smoothing: Annotated[str | None, typer.Option(help="none, jeffreys, laplace, perks, or a pseudo-count.")] = None,
    bins: Annotated[str, typer.Option(help="quantile, uniform, fd, doane or distinct.")] = "quantile",
    count: Annotated[int, typer.Option(help="Number of quantile or uniform bins.")] = 10,
    columns: Annotated[list[str] | None, typer.Option("--column", help="Only this column (repeatable).")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Not this column (repeatable).")] = None,
    json_to: Annotated[
        Path | None, typer.Option("--json", help="Write JSON to a file, or - for standard output.")
    ] = None,
    html_to: Annotated[Path | None, typer.Option("--html", help="Write a self-contained report.")] = None,
    fail_on: Fail = FailOn.DRIFT,
) -> None:
    """Compare two files, column by column. No configuration, no store."""
    from drift.api import compare as compare_data
    from drift.histogram.binning import Bins

    found = compare_data(
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
        print_json(found.to_dict())
    else:
        _print_comparison(found)
        if json_to is not None:
            found.save(json_to if json_to.suffix == ".json" else json_to.with_name(json_to.name + ".json"))
    if html_to is not None:
        written = found.save(html_to)
        sys.stderr.write(f"report: {written}\n")
    raise typer.Exit(exit_status((result.verdict for result in found.columns), fail_on))


def _smoothing(text: str | None) -> str | float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _print_comparison(found: "Comparison") -> None:
    title = f"{found.labels[1]} ({found.live.rows:,} rows) against {found.labels[0]} ({found.reference.rows:,} rows)"
    rows = [
        (
            result.verdict.value,
            result.column,
            result.score,
            None if result.threshold is None else result.threshold.drift,
            result.noise_floor,
            format_p_cell(result.p_value),
            result.explanation if result.scored and result.verdict.value in {"drift", "warn"} else _untold(result),
        )
        for result in found.columns
    ]
    heads = ("verdict", "column", found.metric, "threshold", "noise", "p", "what moved, or why not")
    print_table(title, heads, rows, numeric=heads[2:6], spare=("p", "noise", "threshold"))
    for warning in found.warnings:
        say(f"note: {warning}")
    untold = sum(not result.verdict.is_conclusive for result in found.columns)
    say(f"{len(found.drifted)} of {len(found)} columns drifted" + (f"; {untold} could not be told" if untold else ""))


def _untold(result: "ColumnResult") -> str:
    return "" if result.verdict.value == "ok" else result.message


def register(app: typer.Typer) -> None:
    """Add the command `drift compare`."""
    app.command()(compare)
