"""Profiles: the histograms of all columns sum to the same rows; equal axes can be added."""

import json
from pathlib import Path
from typing import Any

import pytest

from drift.errors import AxisError, InputError
from drift.histogram import CategoricalAxis, Fault, Histogram, Kind, NumericAxis, Profile, Uncounted

DOCUMENTS = Path(__file__).parent / "documents"
TENS = NumericAxis((0, 10, 20))
NAMES = CategoricalAxis(("a", "b", "c"), rare=("y", "z"))


def profile(scale: int = 1, **uncounted: Uncounted) -> Profile:
    columns = {"x": Histogram(TENS, [scale, 0, 0, 0, 0]), "y": Histogram(NAMES, [0, 0, 0, 0, 0, scale])}
    return Profile({n: h for n, h in columns.items() if n not in uncounted}, scale, uncounted)


LOST = Uncounted(Fault.ERROR, "page checksum is wrong")


def test_profiles_add_column_by_column() -> None:
    both = profile(3) + profile(4)
    assert both == profile(7)
    assert both.rows == 7
    assert {name: h.rows for name, h in both.items()} == {"x": 7, "y": 7}
    assert both.axes == {"x": TENS, "y": NAMES}


def test_a_column_uncounted_on_one_side_stays_uncounted() -> None:
    both = profile(3, y=LOST) + profile(4)
    assert dict(both.uncounted) == {"y": LOST}
    assert set(both) == {"x"}
    assert both.rows == both["x"].rows == 7
    assert profile(4) + profile(3, y=LOST) == both


def test_profiles_with_different_columns_cannot_be_added() -> None:
    lone = Profile({"z": Histogram(TENS, [1, 0, 0, 0, 0])}, 1)
    with pytest.raises(AxisError, match=r"\['x', 'y', 'z'\]"):
        profile() + lone
    with pytest.raises(TypeError):
        profile() + 1  # type: ignore[operator]


def test_rows_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(InputError, match=r"'x' has 1 rows.* 2"):
        Profile({"x": Histogram(TENS, [1, 0, 0, 0, 0])}, 2)
    with pytest.raises(InputError, match="got -1"):
        Profile({}, -1)


def test_a_column_counted_and_uncounted_is_refused() -> None:
    with pytest.raises(InputError, match=r"\['x'\]"):
        Profile({"x": Histogram(TENS, [1, 0, 0, 0, 0])}, 1, {"x": LOST})


def test_a_profile_cannot_be_changed_from_outside() -> None:
    columns = {"x": Histogram(TENS, [1, 0, 0, 0, 0])}
    original = Profile(columns, 1)
    columns.clear()
    assert set(original) == {"x"}
    with pytest.raises(TypeError):
        original.histograms["y"] = original["x"]  # type: ignore[index]
    assert repr(profile(1, y=LOST)) == "Profile(1 rows, 1 columns, 1 not counted)"


def test_profiles_survive_json_and_old_documents_load() -> None:
    for original in (profile(5), profile(2**40, y=LOST), Profile({}, 0)):
        assert Profile.from_dict(json.loads(json.dumps(original.to_dict()))) == original
    document = json.loads((DOCUMENTS / "profile_v1.json").read_text(encoding="utf-8"))
    assert Profile.from_dict(document) == Profile(
        {
            "temp": Histogram(NumericAxis((0, 10.5)), [1, 8, 0, 3]),
            "nothing": Histogram(NumericAxis((), Kind.EMPTY), [0, 12]),
        },
        12,
        {"tags": Uncounted(Fault.NOT_COMPARABLE, "lists cannot be binned")},
    )


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"version": 0}, "version 0.*reads 1"),
        ({"rows": 1.5}, "malformed"),
        ({"rows": 9}, "has 1 rows.* 9"),
        ({"columns": None}, "malformed"),
        ({"uncounted": {"z": {"fault": "bad luck", "message": ""}}}, "bad luck"),
        ({"uncounted": {"z": {}}}, "fault"),
    ],
)
def test_invalid_profile_documents_are_refused(change: dict[str, Any], shown: str) -> None:
    with pytest.raises(InputError, match=shown):
        Profile.from_dict({**profile().to_dict(), **change})
