"""The tables of the newest schema. Only the migrations create them.

A year of hourly windows of 200 columns is 1.75 million histograms and as many scores. Repeated values are therefore
stored once: axes by their content, methods, column names. Contributions of bins are not stored: they follow exactly
from histograms and method.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
)

from drift.store.types import Document, Finite, Instant, SafeText, Whole

COUNTS_DTYPE: Final = "<i8"
"""Encoding of counts: one little-endian signed 64-bit integer for each bin, in the axis's order.

`reference_history.counts` has one such row for each window of the reference, in order.
"""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite assigns keys only if their type is called INTEGER.
_Id = BigInteger().with_variant(Integer(), "sqlite")


def _key() -> "Column[int]":
    return Column("id", _Id, primary_key=True)


def _to(target: str, name: str | None = None, **options: Any) -> "Column[int]":
    options.setdefault("nullable", False)
    return Column(name or target + "_id", _Id, ForeignKey(f"{target}.id"), **options)


def _text(name: str) -> "Column[str]":
    return Column(name, SafeText, nullable=False)


def _count(name: str) -> "Column[int]":
    return Column(name, Whole, nullable=False)


def _at(name: str, *, nullable: bool = False) -> "Column[Any]":
    return Column(name, Instant, nullable=nullable)


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


monitor = Table(
    "monitor",
    metadata,
    _key(),
    _text("name"),
    _at("created_at"),
    _at("thinned_until", nullable=True),  # windows that start by then keep their verdicts only
    UniqueConstraint("name"),
)

definition = Table(
    "definition",
    metadata,
    _key(),
    _to("monitor"),
    _text("digest"),
    Column("document", Document, nullable=False),
    _at("created_at"),
    _at("used_at"),  # last use by a process: the newest is the monitor's definition
    UniqueConstraint("monitor_id", "digest"),
)

baseline = Table(
    "baseline",
    metadata,
    _key(),
    _to("monitor"),
    _text("digest"),
    Column("note", Document, nullable=False),
    _at("created_at"),
    UniqueConstraint("monitor_id", "digest"),
)

reference_attempt = Table(  # attempts that have not ended; those with an expired lease are lost
    "reference_attempt",
    metadata,
    _key(),
    _to("monitor"),
    _text("digest"),  # as in baseline
    _text("owner"),
    _at("begun_at"),
    _at("lease_until"),
    Index(None, "monitor_id"),
)

axis = Table(
    "axis", metadata, _key(), _text("digest"), Column("document", Document, nullable=False), UniqueConstraint("digest")
)

method = Table(
    "method",
    metadata,
    _key(),
    _text("metric"),
    Column("base", Finite, nullable=False),
    _text("smoothing"),
    UniqueConstraint("metric", "base", "smoothing"),
)

watched_column = Table(
    "watched_column", metadata, _key(), _to("monitor"), _text("name"), UniqueConstraint("monitor_id", "name")
)

window = Table(
    "window",
    metadata,
    _key(),
    _to("monitor"),
    _to("definition"),  # that planned it; the revision has the one that checked it
    _at("start_at"),
    _at("end_at"),
    _text("kind"),
    _text("status"),
    _at("due_at"),
    _at("next_attempt_at"),
    _count("attempts"),
    Column("lease_owner", SafeText),
    _at("lease_until", nullable=True),
    _count("token"),  # fencing token: grows with each claim, so that a worker that lost its lease cannot write
    Column("last_error", SafeText),
    _count("revision"),  # number of the newest; 0 before the first
    Column("cause", SafeText),  # why it is due: `late` (re-check), `backfill` before the first check; else null
    Column("seen", SafeText),  # digest of the source at the last re-check
    UniqueConstraint("monitor_id", "definition_id", "start_at", "kind"),
    # Processes with different definitions of a monitor must not check a window twice either.
    UniqueConstraint("monitor_id", "start_at", "end_at", "kind"),
    Index(None, "monitor_id", "status", "next_attempt_at"),
    Index(None, "monitor_id", "end_at"),  # planning continues there; asked at every tick
    _one_of("status", "due", "claimed", "done", "failed", "skipped"),
)

tally = Table(  # counting a year of windows for each page would take seconds
    "tally",
    metadata,
    _to("monitor", primary_key=True, autoincrement=False),
    Column("verdict", SafeText, primary_key=True),  # of the newest revision
    _count("windows"),
    sqlite_with_rowid=False,
)

revision = Table(
    "revision",
    metadata,
    _key(),
    _to("window"),
    _count("number"),
    _to("definition"),
    _to("baseline", nullable=True),
    _count("rows"),
    _count("columns"),
    _count("drifted"),
    _text("verdict"),
    _text("message"),
    Column("source", Document, nullable=False),  # fingerprint of the data read
    _at("counted_at"),
    Column("judged", Document),  # how its scores were judged
    Column("token", Whole),  # of the claim that wrote it
    Column("code", SafeText),  # stable code of the message; null: none, or written before 0007
    UniqueConstraint("window_id", "number"),
)

profile_table = Table(
    "profile",
    metadata,
    _key(),
    _to("revision", nullable=True),
    _to("baseline", nullable=True),
    _text("segment"),
    _count("rows"),
    UniqueConstraint("revision_id", "segment"),
    UniqueConstraint("baseline_id", "segment"),
    CheckConstraint("(revision_id IS NULL) <> (baseline_id IS NULL)", name="owner"),
)

histogram = Table(
    "histogram",
    metadata,
    _to("profile", primary_key=True, autoincrement=False),
    _to("watched_column", "column_id", primary_key=True, autoincrement=False),
    _to("axis", nullable=True),
    Column("counts", LargeBinary),
    Column("fault", SafeText),  # why there are no counts; its message:
    Column("message", SafeText),
    CheckConstraint("(counts IS NULL) = (axis_id IS NULL) AND (counts IS NULL) = (fault IS NOT NULL)", name="counted"),
    sqlite_with_rowid=False,
)

reference_window = Table(
    "reference_window",
    metadata,
    _to("baseline", primary_key=True, autoincrement=False),
    Column("number", Whole, primary_key=True, autoincrement=False),
    _at("start_at"),
    _at("end_at"),
    sqlite_with_rowid=False,
)

reference_history = Table(
    "reference_history",
    metadata,
    _to("baseline", primary_key=True, autoincrement=False),
    _to("watched_column", "column_id", primary_key=True, autoincrement=False),
    Column("segment", SafeText, primary_key=True),
    _to("axis"),
    Column("counts", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

score_table = Table(
    "score",
    metadata,
    _to("profile", primary_key=True, autoincrement=False),
    _to("watched_column", "column_id", primary_key=True, autoincrement=False),
    _to("method", nullable=True),
    Column("value", Finite),
    Column("noise_floor", Finite),
    Column("p_value", Finite),
    Column("low", Finite),
    Column("high", Finite),
    Column("detectable", Finite),
    Column("threshold_drift", Finite),
    Column("threshold_warn", Finite),
    Column("customary", Boolean),
    _text("verdict"),
    _text("message"),
    Column("held", LargeBinary),  # counts of a moving reference; null: those of the frozen reference
    Column("windows", Whole),  # reference windows behind the p-value; null: the two samples alone
    Column("level", Finite),  # the p-value that judged instead of a threshold
    Column("code", SafeText),  # stable code of the message; null: none, or written before 0007
    # For a column's year: rows are ordered by window. SQLite stores rows in the primary key, and gains nothing.
    Index(None, "column_id", "profile_id", info={"only": "postgresql"}).ddl_if(dialect="postgresql"),
    sqlite_with_rowid=False,
)

alert = Table(
    "alert",
    metadata,
    _key(),
    _to("monitor"),
    _text("fingerprint"),
    _text("column_name"),
    _text("segment"),
    _text("rule"),
    _text("state"),
    _at("since", nullable=True),
    _count("bad"),
    _count("calm"),
    _at("last_window", nullable=True),
    _text("reason"),
    _count("version"),
    UniqueConstraint("fingerprint"),
    Index(None, "monitor_id"),
    Index(None, "state"),
    _one_of("state", "ok", "pending", "firing", "resolved"),
)

event = Table(
    "event",
    metadata,
    Column("id", SafeText, primary_key=True),
    _to("alert"),
    _to("revision"),
    _text("from_state"),
    _text("to_state"),
    _text("verdict"),
    _text("reason"),
    Column("payload", Document, nullable=False),
    _at("at"),
    Index(None, "alert_id", "at"),
)

notification = Table(
    "notification",
    metadata,
    Column("id", SafeText, primary_key=True),
    _to("revision"),
    Column("payload", Document, nullable=False),
    _at("created_at"),
)

delivery = Table(
    "delivery",
    metadata,
    _key(),
    Column("notification_id", SafeText, ForeignKey("notification.id"), nullable=False),
    _text("channel"),
    _text("status"),
    _count("attempts"),
    _at("next_attempt_at"),
    Column("last_error", SafeText),
    _at("sent_at", nullable=True),
    UniqueConstraint("notification_id", "channel"),
    Index(None, "status", "next_attempt_at"),
    _one_of("status", "pending", "sent", "dead"),
)
