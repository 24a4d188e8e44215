"""The first schema.

A migration is frozen: it imports nothing from drift, and names its constraints itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _monitors()
    _windows()
    _scores()
    _alerts()
    _outbox()


def downgrade() -> None:
    for name in (
        "delivery",
        "notification",
        "event",
        "alert",
        "score",
        "histogram",
        "profile",
        "method",
        "axis",
        "revision",
        "window",
        "watched_column",
        "baseline",
        "definition",
        "monitor",
    ):
        op.drop_table(name)


def _monitors() -> None:
    op.create_table(
        "monitor",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_monitor"),
        sa.UniqueConstraint("name", name="uq_monitor_name"),
    )
    op.create_table(
        "definition",
        sa.Column("id", _ID, nullable=False),
        sa.Column("monitor_id", _ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("used_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["monitor_id"], ["monitor.id"], name="fk_definition_monitor_id"),
        sa.PrimaryKeyConstraint("id", name="pk_definition"),
        sa.UniqueConstraint("monitor_id", "digest", name="uq_definition_monitor_id_digest"),
    )
    op.create_table(
        "baseline",
        sa.Column("id", _ID, nullable=False),
        sa.Column("monitor_id", _ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["monitor_id"], ["monitor.id"], name="fk_baseline_monitor_id"),
        sa.PrimaryKeyConstraint("id", name="pk_baseline"),
        sa.UniqueConstraint("monitor_id", "digest", name="uq_baseline_monitor_id_digest"),
    )
    op.create_table(
        "watched_column",
        sa.Column("id", _ID, nullable=False),
        sa.Column("monitor_id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["monitor_id"], ["monitor.id"], name="fk_watched_column_monitor_id"),
        sa.PrimaryKeyConstraint("id", name="pk_watched_column"),
        sa.UniqueConstraint("monitor_id", "name", name="uq_watched_column_monitor_id_name"),
    )


def _windows() -> None:
    op.create_table(
        "window",
        sa.Column("id", _ID, nullable=False),
        sa.Column("monitor_id", _ID, nullable=False),
        sa.Column("definition_id", _ID, nullable=False),
        sa.Column("start_at", _INSTANT, nullable=False),
        sa.Column("end_at", _INSTANT, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("next_attempt_at", _INSTANT, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", _INSTANT, nullable=True),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('due', 'claimed', 'done', 'failed')", name="ck_window_status"),
        sa.ForeignKeyConstraint(["definition_id"], ["definition.id"], name="fk_window_definition_id"),
        sa.ForeignKeyConstraint(["monitor_id"], ["monitor.id"], name="fk_window_monitor_id"),
        sa.PrimaryKeyConstraint("id", name="pk_window"),
        sa.UniqueConstraint(
            "monitor_id", "definition_id", "start_at", "kind", name="uq_window_monitor_id_definition_id_start_at_kind"
        ),
        sa.UniqueConstraint(
            "monitor_id", "start_at", "end_at", "kind", name="uq_window_monitor_id_start_at_end_at_kind"
        ),
    )
    op.create_index(
        "ix_window_monitor_id_status_next_attempt_at", "window", ["monitor_id", "status", "next_attempt_at"]
    )
    op.create_table(
        "revision",
        sa.Column("id", _ID, nullable=False),
        sa.Column("window_id", _ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("definition_id", _ID, nullable=False),
        sa.Column("baseline_id", _ID, nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("columns", sa.BigInteger(), nullable=False),
        sa.Column("drifted", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("counted_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["baseline_id"], ["baseline.id"], name="fk_revision_baseline_id"),
        sa.ForeignKeyConstraint(["definition_id"], ["definition.id"], name="fk_revision_definition_id"),
        sa.ForeignKeyConstraint(["window_id"], ["window.id"], name="fk_revision_window_id"),
        sa.PrimaryKeyConstraint("id", name="pk_revision"),
        sa.UniqueConstraint("window_id", "number", name="uq_revision_window_id_number"),
    )


def _scores() -> None:
    op.create_table(
        "axis",
        sa.Column("id", _ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_axis"),
        sa.UniqueConstraint("digest", name="uq_axis_digest"),
    )
    op.create_table(
        "method",
        sa.Column("id", _ID, nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("base", sa.Double(), nullable=False),
        sa.Column("smoothing", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_method"),
        sa.UniqueConstraint("metric", "base", "smoothing", name="uq_method_metric_base_smoothing"),
    )
    op.create_table(
        "profile",
        sa.Column("id", _ID, nullable=False),
        sa.Column("revision_id", _ID, nullable=True),
        sa.Column("baseline_id", _ID, nullable=True),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(revision_id IS NULL) <> (baseline_id IS NULL)", name="ck_profile_owner"),
        sa.ForeignKeyConstraint(["baseline_id"], ["baseline.id"], name="fk_profile_baseline_id"),
        sa.ForeignKeyConstraint(["revision_id"], ["revision.id"], name="fk_profile_revision_id"),
        sa.PrimaryKeyConstraint("id", name="pk_profile"),
        sa.UniqueConstraint("baseline_id", "segment", name="uq_profile_baseline_id_segment"),
        sa.UniqueConstraint("revision_id", "segment", name="uq_profile_revision_id_segment"),
    )
    op.create_table(
        "histogram",
        sa.Column("profile_id", _ID, autoincrement=False, nullable=False),
        sa.Column("column_id", _ID, autoincrement=False, nullable=False),
        sa.Column("axis_id", _ID, nullable=True),
        sa.Column("counts", sa.LargeBinary(), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(counts IS NULL) = (axis_id IS NULL) AND (counts IS NULL) = (fault IS NOT NULL)",
            name="ck_histogram_counted",
        ),
        sa.ForeignKeyConstraint(["axis_id"], ["axis.id"], name="fk_histogram_axis_id"),
        sa.ForeignKeyConstraint(["column_id"], ["watched_column.id"], name="fk_histogram_column_id"),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name="fk_histogram_profile_id"),
        sa.PrimaryKeyConstraint("profile_id", "column_id", name="pk_histogram"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "score",
        sa.Column("profile_id", _ID, autoincrement=False, nullable=False),
        sa.Column("column_id", _ID, autoincrement=False, nullable=False),
        sa.Column("method_id", _ID, nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("noise_floor", sa.Double(), nullable=True),
        sa.Column("p_value", sa.Double(), nullable=True),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("detectable", sa.Double(), nullable=True),
        sa.Column("threshold_drift", sa.Double(), nullable=True),
        sa.Column("threshold_warn", sa.Double(), nullable=True),
        sa.Column("customary", sa.Boolean(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["column_id"], ["watched_column.id"], name="fk_score_column_id"),
        sa.ForeignKeyConstraint(["method_id"], ["method.id"], name="fk_score_method_id"),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name="fk_score_profile_id"),
        sa.PrimaryKeyConstraint("profile_id", "column_id", name="pk_score"),
        sqlite_with_rowid=False,
    )


def _alerts() -> None:
    op.create_table(
        "alert",
        sa.Column("id", _ID, nullable=False),
        sa.Column("monitor_id", _ID, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", _INSTANT, nullable=True),
        sa.Column("bad", sa.BigInteger(), nullable=False),
        sa.Column("calm", sa.BigInteger(), nullable=False),
        sa.Column("last_window", _INSTANT, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('ok', 'pending', 'firing', 'resolved')", name="ck_alert_state"),
        sa.ForeignKeyConstraint(["monitor_id"], ["monitor.id"], name="fk_alert_monitor_id"),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
        sa.UniqueConstraint("fingerprint", name="uq_alert_fingerprint"),
    )
    op.create_index("ix_alert_monitor_id", "alert", ["monitor_id"])
    op.create_table(
        "event",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("revision_id", _ID, nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name="fk_event_alert_id"),
        sa.ForeignKeyConstraint(["revision_id"], ["revision.id"], name="fk_event_revision_id"),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
    )
    op.create_index("ix_event_alert_id_at", "event", ["alert_id", "at"])


def _outbox() -> None:
    op.create_table(
        "notification",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("revision_id", _ID, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["revision_id"], ["revision.id"], name="fk_notification_revision_id"),
        sa.PrimaryKeyConstraint("id", name="pk_notification"),
    )
    op.create_table(
        "delivery",
        sa.Column("id", _ID, nullable=False),
        sa.Column("notification_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", _INSTANT, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sent_at", _INSTANT, nullable=True),
        sa.CheckConstraint("status IN ('pending', 'sent', 'dead')", name="ck_delivery_status"),
        sa.ForeignKeyConstraint(["notification_id"], ["notification.id"], name="fk_delivery_notification_id"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("notification_id", "channel", name="uq_delivery_notification_id_channel"),
    )
    op.create_index("ix_delivery_status_next_attempt_at", "delivery", ["status", "next_attempt_at"])
