"""The receiver misbehaves: nothing is lost, nothing told twice under two ids, nothing out of order, no flood."""

import subprocess
import time
from pathlib import Path
from typing import Final

from tests.faults.bench import Bench, Result
from tests.faults.ledger import Counts, pass_time, query
from tests.faults.receiver import Behaviour, answer, drip, flood, hang, reset
from tests.faults.site import LATER, Site

_DAY: Final = 90_000.0  # seconds: beyond a Retry-After of a day


_ODD: Final[dict[str, Behaviour]] = {
    "500": answer(500),
    "429 with Retry-After": answer(429, Retry_After="86400"),
    "hang": hang,
    "slow-loris": drip,
    "reset": reset,
    "huge body": flood,
}


def passing(bench: Bench, kind: str) -> Result:
    """Each misbehaviour for a run, then a sound receiver."""
    total, slowest = Counts(), 0.0
    with bench.site(kind, windows=14, seed=600) as place:
        for behaviour in _ODD.values():
            place.receiver.behave = behaviour
            began = time.monotonic()
            status = place.run()
            slowest = max(slowest, time.monotonic() - began)
            assert status in {1, 3}, f"exit status {status}; {place.tail()}"
            assert place.left()[1] > 0, "a message was taken for sent that was refused"
            pass_time(place.store, _DAY)
        place.receiver.behave = answer(204)
        place.settle()
        in_order(place)
        total += place.counts()
    return Result("receiver: " + ", ".join(_ODD), kind, "each once", total, f"longest run {slowest:.1f} s")


def for_good(bench: Bench, kind: str) -> Result:
    """400, and a redirect to a link-local address: given up at once, in the log and in the store; none is followed."""
    total, dead = Counts(), 0
    for number, location in enumerate(("", "http://169.254.169.254/latest/meta-data/", "own")):
        with bench.site(kind, windows=6, seed=620 + number) as place:
            target = place.receiver.url if location == "own" else location
            place.receiver.behave = answer(302, Location=target) if target else answer(400)
            place.settle()
            rows = query(place.store, "SELECT status, last_error FROM delivery")
            assert {status for status, _ in rows} == {"dead"}, rows
            assert place.log().count("NOT DELIVERED") == len(rows), place.tail()
            assert place.receiver.strays == 0, "a redirect was followed"
            dead += len(rows)
            assert len(place.receiver.messages) == len(rows), "what is refused for good is tried once"
            total += place.counts(refused=True)
    return Result("receiver: 400, redirect to link-local", kind, f"{dead} messages", total, "given up, told in the log")


def bad_tls(bench: Bench, kind: str) -> Result:
    """A certificate that nobody vouches for: nothing is sent until somebody does."""
    certificate = make_certificate(bench.folder)
    with bench.site(kind, windows=6, seed=640, certificate=certificate) as place:
        status = place.run()
        assert status in {1, 3}, f"exit status {status}; {place.tail()}"
        assert not place.receiver.messages, "a message went to a receiver that nobody vouches for"
        waiting = place.left()[1]
        pass_time(place.store, LATER)
        place.run(SSL_CERT_FILE=str(certificate))
        assert place.left() == (0, 0), place.tail()
        note = f"{waiting} messages waited until the certificate was trusted"
        return Result("receiver: self-signed certificate", kind, "once", place.counts(), note)


_SELF_SIGNED: Final = (
    *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
    *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
)


def make_certificate(folder: Path) -> Path:
    """A self-signed certificate for the loopback address, with its key, in one PEM file."""
    made = folder / "self-signed.pem"
    key = folder / "key.pem"
    subprocess.run(
        [*_SELF_SIGNED, "-keyout", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
    )
    made.write_text(made.read_text() + key.read_text(), encoding="utf-8")
    return made


def waiting(bench: Bench, kind: str) -> Result:
    """Down while alerts turn by the hundred, then up: one message a window, in order."""
    columns, windows = (100, 120) if bench.full else (20, 25)
    with bench.site(kind, windows=windows, seed=660, columns=columns, rows=100, restless=0.9) as place:
        place.receiver.behave = answer(503)
        place.run()
        assert len(place.receiver.messages) == 1, (
            "a receiver that is down is knocked at once a run, not for each message"
        )
        place.receiver.behave = answer(204)
        place.settle()
        in_order(place)
        sent = place.receiver.taken()
        events = sum(len(message.payload["events"]) for message in sent)
        assert len(sent) == len(place.world.truth.messages), "one message a window"
        note = f"{events} turns in {len(sent)} messages, in order"
        return Result("receiver down, many turns waiting", kind, "once", place.counts(), note)


def in_order(place: Site) -> None:
    """Messages came by window, each after the one before it."""
    places = [message.place[1] for message in place.receiver.taken()]
    assert places == sorted(places), "messages came out of order"
