"""The ledger itself: whatever is taken away from a store or a receiver, or put there twice, it counts."""

import shutil
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import httpx
import pytest

from drift.failpoints import FAILPOINTS, reach
from tests.faults.ledger import Counts, audit, query
from tests.faults.site import Site, site
from tests.faults.world import World
from tests.support.nursery import Nursery


@pytest.fixture(scope="module")
def checked(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A world that was checked in peace."""
    folder = tmp_path_factory.mktemp("ledger")
    with site(f"sqlite:///{folder / 'drift.db'}", World(folder, 6, 1), nursery) as place:
        place.settle()
        yield place


@pytest.fixture
def store(checked: Site, tmp_path: Path) -> str:
    """A copy of its store, to be spoilt."""
    copy = tmp_path / "copy.db"
    query(checked.store, "PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(checked.store.removeprefix("sqlite:///"), copy)
    return f"sqlite:///{copy}"


def test_a_world_checked_in_peace_has_six_zeros(checked: Site) -> None:
    assert astuple(checked.counts()) == (0, 0, 0, 0, 0, 0)


_NEWEST = "WHERE profile_id = (SELECT max(profile_id) FROM score)"
_AGAIN = """INSERT INTO revision SELECT 99, window_id, 2, definition_id, baseline_id, rows, columns, drifted, verdict,
    message, source, counted_at, judged, token, code FROM revision WHERE id = 1"""


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        ('DELETE FROM revision WHERE window_id = (SELECT max(id) FROM "window")', "windows_lost"),
        ("UPDATE \"window\" SET status = 'due' WHERE id = 1", "windows_lost"),
        (_AGAIN, "windows_doubled"),
        ("DELETE FROM event WHERE id = (SELECT max(id) FROM event WHERE to_state = 'firing')", "alerts_lost"),
        (f"UPDATE score SET value = value + 1e-6 {_NEWEST}", "wrong_scores"),
        (f"UPDATE score SET verdict = 'warn' {_NEWEST}", "wrong_scores"),
    ],
)
def test_what_is_spoilt_in_a_store_is_counted(checked: Site, store: str, spoil: str, expected: str) -> None:
    assert audit(store, checked.world.truth, checked.receiver) == Counts()
    query(store, spoil)
    assert getattr(audit(store, checked.world.truth, checked.receiver), expected) > 0


@pytest.mark.parametrize(("same", "expected"), [(True, "repeats"), (False, "alerts_doubled")])
def test_a_message_that_comes_again_is_counted(checked: Site, same: bool, expected: str) -> None:
    with site(checked.store, checked.world, checked.nursery) as place:
        for message in checked.receiver.taken():
            _post(place, message.id, message.payload)
        assert place.counts() == Counts()
        first = checked.receiver.taken()[0]
        _post(place, first.id if same else "another", first.payload)
        found = place.counts()
        assert getattr(found, expected) > 0
        assert any(found.faults) != same


def test_a_message_that_comes_again_is_told_in_words(checked: Site) -> None:
    with site(checked.store, checked.world, checked.nursery) as place:
        for message in checked.receiver.taken()[:2]:
            _post(place, message.id, message.payload)
        assert place.repeated() == ""
        again = checked.receiver.taken()[0]
        with (place.world.folder / "log").open("a", encoding="utf-8") as log:
            log.write(f"channel 'pager' did not take notification {again.id} (why)\n")
        _post(place, again.id, again.payload)
        told = place.repeated()
        assert f"{again.place[1]:%m-%dT%H} again after" in told
        assert "s after it came" in told
        assert "(1, None)" in told, "the store counts one attempt"
        assert "(why)" in told


def test_a_message_that_never_came_is_counted(checked: Site) -> None:
    with site(checked.store, checked.world, checked.nursery) as place:
        assert place.counts().alerts_lost == len(checked.world.truth.turns)


def _post(place: Site, name: str, payload: object) -> None:
    headers = {"Idempotency-Key": name}
    assert httpx.post(place.receiver.url, json=payload, headers=headers, trust_env=False).status_code == 204


def test_an_unarmed_failpoint_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for armed in (None, "nowhere", f"{FAILPOINTS[0]}:1000"):
        if armed is not None:
            monkeypatch.setenv("DRIFT_STOP_AT", armed)
        for name in FAILPOINTS:
            reach(name)


def test_every_failpoint_is_reached_in_one_place() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path("drift").rglob("*.py"))
    assert [name for name in FAILPOINTS if sources.count(f'reach("{name}")') != 1] == []
