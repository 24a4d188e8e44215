"""The benchmarks' page: failures stay in the table, and missed goals are marked."""

from typing import Any

from benchmarks import page


def record(*seconds: float, error: str = "") -> dict[str, Any]:
    runs = [
        {"round": n, "seconds": s, "cpu_seconds": s, "added_mb": None, "peak_mb": 100.0} for n, s in enumerate(seconds)
    ]
    return {"runs": runs, "error": error, "scored": 20}


def results(**tools: dict[str, Any]) -> dict[str, Any]:
    return {
        "machine": dict.fromkeys(("date", "processor", "cores", "memory_gib", "system", "python", "load"), "?"),
        "command": "?",
        "rounds": 2,
        "versions": {},
        "tools": {name: {"label": name.title()} for name in tools},
        "sizes": {page.GOAL_ROWS: tools},
    }


def test_ratios_are_taken_within_a_round() -> None:
    records = {"drift": record(1.0, 10.0, 1.0), "frouros": record(4.0, 40.0, 2.0)}
    assert page.ratio(records, "frouros") == 4.0


def test_a_round_missed_by_one_tool_does_not_count() -> None:
    records = {"drift": record(1.0, 2.0), "frouros": record(3.0)}
    assert page.ratio(records, "frouros") == 3.0
    assert page.ratio(records, "popmon") is None


def test_missed_goals_are_marked() -> None:
    text = page.goals(results(drift=record(1.0), frouros=record(4.0), evidently=record(200.0)))
    assert "| 8 times the fastest peer that looks at every row | Frouros: 4 times | **missed**: 50% of it |" in text
    assert "| 100 times Evidently | 200 times | reached |" in text


def test_a_peer_that_samples_is_not_the_fastest() -> None:
    text = page.goals(results(drift=record(1.0), frouros=record(9.0), deepchecks=record(2.0)))
    assert "Frouros: 9 times | reached" in text


def test_a_failed_tool_stays_in_the_table() -> None:
    text = page.peers(results(drift=record(1.0), popmon=record(error="ImportError: no | module")))
    assert "| Popmon | " in text
    assert "failed: ImportError: no / module" in text


def test_parts_are_replaced_and_prose_is_kept() -> None:
    text = "prose\n<!-- peers: begin -->\nold\n<!-- peers: end -->\nmore prose"
    assert page.replaced(text, "peers", "new") == "prose\n<!-- peers: begin -->\nnew\n<!-- peers: end -->\nmore prose"


def test_numbers_have_three_significant_digits() -> None:
    assert [page.three_digits(x) for x in (0.0123456, 4.5678, 1234.5, None)] == ["0.0123", "4.57", "1,234", ""]


def test_sizes_are_rows_and_columns() -> None:
    assert page.size("100k") == (100_000, 20)
    assert page.size("1Mx200") == (1_000_000, 200)
    assert page.size("250") == (250, 20)
