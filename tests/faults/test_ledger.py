"""The ledger notices whatever is removed from a store or a receiver, or added twice."""

import shutil
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import httpx
import pytest

from drift.failpoints import FAILPOINTS, reach
from tests.faults.ledger import Counts, audit, query
from tests.faults.site import Site, open_site
from tests.faults.world import World
from tests.support.nursery import Nursery


@pytest.fixture(scope="module")
def checked(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site without faults."""
    folder = tmp_path_factory.mktemp("ledger")
    with open_site(f"sqlite:///{folder / 'drift.db'}", World(folder, 6, 1), nursery) as site:
        site.settle()
        yield site


@pytest.fixture
def store(checked: Site, tmp_path: Path) -> str:
    """A copy of its store, to be corrupted."""
    copy = tmp_path / "copy.db"
    query(checked.store, "PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(checked.store.removeprefix("sqlite:///"), copy)
    return f"sqlite:///{copy}"


def test_without_faults_all_six_counters_are_zero(checked: Site) -> None:
    assert astuple(checked.counts()) == (0, 0, 0, 0, 0, 0)


_NEWEST = "WHERE profile_id = (SELECT max(profile_id) FROM score)"
_REPEATED_REVISION = """INSERT INTO revision SELECT 99, window_id, 2, definition_id, baseline_id, rows, columns,
    drifted, verdict, message, source, counted_at, judged, token, code FROM revision WHERE id = 1"""


@pytest.mark.parametrize(
    ("corruption", "expected"),
    [
        ('DELETE FROM revision WHERE window_id = (SELECT max(id) FROM "window")', "windows_lost"),
        ("UPDATE \"window\" SET status = 'due' WHERE id = 1", "windows_lost"),
        (_REPEATED_REVISION, "windows_doubled"),
        ("DELETE FROM event WHERE id = (SELECT max(id) FROM event WHERE to_state = 'firing')", "alerts_lost"),
        (f"UPDATE score SET value = value + 1e-6 {_NEWEST}", "wrong_scores"),
        (f"UPDATE score SET verdict = 'warn' {_NEWEST}", "wrong_scores"),
    ],
)
def test_corruption_of_a_store_is_counted(checked: Site, store: str, corruption: str, expected: str) -> None:
    assert audit(store, checked.world.truth, checked.receiver) == Counts()
    query(store, corruption)
    assert getattr(audit(store, checked.world.truth, checked.receiver), expected) > 0


@pytest.mark.parametrize(("same_id", "expected"), [(True, "repeats"), (False, "alerts_doubled")])
def test_a_repeated_notification_is_counted(checked: Site, same_id: bool, expected: str) -> None:
    with open_site(checked.store, checked.world, checked.nursery) as site:
        for notification in checked.receiver.accepted():
            _post(site, notification.id, notification.payload)
        assert site.counts() == Counts()
        first = checked.receiver.accepted()[0]
        _post(site, first.id if same_id else "another", first.payload)
        counts = site.counts()
        assert getattr(counts, expected) > 0
        assert any(counts.faults) != same_id


def test_a_repeated_notification_is_described(checked: Site) -> None:
    with open_site(checked.store, checked.world, checked.nursery) as site:
        for notification in checked.receiver.accepted()[:2]:
            _post(site, notification.id, notification.payload)
        assert site.describe_repeats() == ""
        notification = checked.receiver.accepted()[0]
        with (site.world.folder / "log").open("a", encoding="utf-8") as log:
            log.write(f"channel 'pager' did not take notification {notification.id} (why)\n")
        _post(site, notification.id, notification.payload)
        description = site.describe_repeats()
        assert f"{notification.subject[1]:%m-%dT%H} again after" in description
        assert "s after it arrived" in description
        assert "(1, None)" in description, "the store counts one attempt"
        assert "(why)" in description


def test_missing_notifications_are_counted(checked: Site) -> None:
    with open_site(checked.store, checked.world, checked.nursery) as site:
        assert site.counts().alerts_lost == len(checked.world.truth.transitions)


def _post(site: Site, id_: str, payload: object) -> None:
    headers = {"Idempotency-Key": id_}
    assert httpx.post(site.receiver.url, json=payload, headers=headers, trust_env=False).status_code == 204


def test_an_unarmed_failpoint_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for armed in (None, "nowhere", f"{FAILPOINTS[0]}:1000"):
        if armed is not None:
            monkeypatch.setenv("DRIFT_STOP_AT", armed)
        for name in FAILPOINTS:
            reach(name)


def test_every_failpoint_is_reached_in_one_place() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path("drift").rglob("*.py"))
    assert [name for name in FAILPOINTS if sources.count(f'reach("{name}")') != 1] == []
