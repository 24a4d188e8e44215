"""A misbehaving receiver: no notification may be lost, sent under two ids, out of order, or too often."""

import subprocess
import time
from pathlib import Path
from typing import Final

from tests.faults.bench import Bench, Result
from tests.faults.ledger import Counts, pass_time, query
from tests.faults.receiver import Behaviour, answer, drip, flood, hang, reset
from tests.faults.site import AFTER_LEASES, Site

_DAY: Final = 90_000.0  # seconds: longer than a Retry-After of a day


_ODD: Final[dict[str, Behaviour]] = {
    "500": answer(500),
    "429 with Retry-After": answer(429, Retry_After="86400"),
    "hang": hang,
    "slow-loris": drip,
    "reset": reset,
    "huge body": flood,
}


def passing(bench: Bench, kind: str) -> Result:
    """Misbehave in each way for one run, then work again."""
    total, slowest = Counts(), 0.0
    with bench.site(kind, windows=14, seed=600) as site:
        for behaviour in _ODD.values():
            site.receiver.behaviour = behaviour
            start = time.monotonic()
            status = site.run()
            slowest = max(slowest, time.monotonic() - start)
            assert status in {1, 3}, f"exit status {status}; {site.tail()}"
            assert site.remaining()[1] > 0, "a refused notification was marked as sent"
            pass_time(site.store, _DAY)
        site.receiver.behaviour = answer(204)
        site.settle()
        in_order(site)
        total += site.counts()
    return Result("receiver: " + ", ".join(_ODD), kind, "each once", total, f"longest run {slowest:.1f} s")


def for_good(bench: Bench, kind: str) -> Result:
    """Answer 400, or redirect to a link-local address: dead at once, logged, and no redirect followed."""
    total, dead = Counts(), 0
    for number, location in enumerate(("", "http://169.254.169.254/latest/meta-data/", "own")):
        with bench.site(kind, windows=6, seed=620 + number) as site:
            target = site.receiver.url if location == "own" else location
            site.receiver.behaviour = answer(302, Location=target) if target else answer(400)
            site.settle()
            rows = query(site.store, "SELECT status, last_error FROM delivery")
            assert {status for status, _ in rows} == {"dead"}, rows
            assert site.log().count("NOT DELIVERED") == len(rows), site.tail()
            assert site.receiver.followed_redirects == 0, "a redirect was followed"
            dead += len(rows)
            assert len(site.receiver.notifications) == len(rows), "a permanently refused notification was sent again"
            total += site.counts(refused=True)
    return Result(
        "receiver: 400, redirect to link-local", kind, f"{dead} notifications", total, "dead, reported in the log"
    )


def bad_tls(bench: Bench, kind: str) -> Result:
    """Use an untrusted certificate: nothing may be sent until it is trusted."""
    certificate = make_certificate(bench.folder)
    with bench.site(kind, windows=6, seed=640, certificate=certificate) as site:
        status = site.run()
        assert status in {1, 3}, f"exit status {status}; {site.tail()}"
        assert not site.receiver.notifications, "a notification was sent to an untrusted receiver"
        unsent = site.remaining()[1]
        pass_time(site.store, AFTER_LEASES)
        site.run(SSL_CERT_FILE=str(certificate))
        assert site.remaining() == (0, 0), site.tail()
        details = f"{unsent} notifications waited until the certificate was trusted"
        return Result("receiver: self-signed certificate", kind, "once", site.counts(), details)


_SELF_SIGNED: Final = (
    *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
    *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
)


def make_certificate(folder: Path) -> Path:
    """Create a self-signed certificate for the loopback address, with its key, in one PEM file."""
    certificate = folder / "self-signed.pem"
    key = folder / "key.pem"
    subprocess.run(
        [*_SELF_SIGNED, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    certificate.write_text(certificate.read_text() + key.read_text(), encoding="utf-8")
    return certificate


def waiting(bench: Bench, kind: str) -> Result:
    """Stay down during hundreds of transitions, then come up: one notification a window, in order."""
    columns, windows = (100, 120) if bench.full else (20, 25)
    with bench.site(kind, windows=windows, seed=660, columns=columns, rows=100, change_rate=0.9) as site:
        site.receiver.behaviour = answer(503)
        site.run()
        assert len(site.receiver.notifications) == 1, "a run must try a receiver that is down only once"
        site.receiver.behaviour = answer(204)
        site.settle()
        in_order(site)
        sent = site.receiver.accepted()
        events = sum(len(notification.payload["events"]) for notification in sent)
        assert len(sent) == len(site.world.truth.notifications), "not one notification a window"
        details = f"{events} transitions in {len(sent)} notifications, in order"
        return Result("receiver down, many transitions waiting", kind, "once", site.counts(), details)


def in_order(site: Site) -> None:
    """Check that notifications arrived in the order of their windows."""
    starts = [notification.subject[1] for notification in site.receiver.accepted()]
    assert starts == sorted(starts), "notifications arrived out of order"
