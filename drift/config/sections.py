"""The shape of a configuration, section by section. Field names are the keys a user writes."""

from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationInfo
from pydantic import model_validator as check

from drift.config import values
from drift.errors import InputError
from drift.histogram.binning import Bins
from drift.monitors.verdict import Threshold, Verdict
from drift.monitors.window import Period
from drift.stats.false_alarm_budget import Budget
from drift.stats.smoothing import Smoothing

Text = Annotated[str, PlainValidator(values.text)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(values.listed)]
Moment = Annotated[datetime, PlainValidator(values.moment)]


class Section(BaseModel):
    """A mapping of the configuration: unknown keys are errors, a key without a value is not given."""

    # hide_input: whatever raises, a value never stands in a traceback.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    later: ClassVar[tuple[str, ...]] = ()  # keys of the design that this release does not have
    files: ClassVar[tuple[str, ...]] = ()  # keys that KEY_file may give instead

    @classmethod
    def allowed(cls) -> list[str]:
        """The keys a user may write."""
        named = [field.alias or key for key, field in cls.model_fields.items()]
        return [*named, *(f"{key}_file" for key in cls.files)]

    @check(mode="before")
    @classmethod
    def _given(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            keys = ", ".join(cls.allowed())
            raise InputError(f"expected a mapping with the keys {keys}; got {values.quote_value(data)}")
        return {key: value for key, value in data.items() if value is not None}


def _version(value: object) -> int:
    if isinstance(value, bool) or value != 1:
        raise InputError("this drift reads version 1; write version: 1, or use the drift that the file was written for")
    return 1


def _database(value: object) -> str:
    """Never repeats the value: it may hold a password."""
    url = values.text(value)
    scheme, mark, _ = url.partition("://")
    if not mark or not scheme.replace("+", "").replace("_", "").isalnum():
        raise InputError("expected a database URL, such as sqlite:///drift.db or postgresql://user:${PASSWORD}@host/db")
    if scheme == "postgres":
        raise InputError("expected postgresql://, the name SQLAlchemy knows; got postgres://")
    return url


def _address(value: object) -> str:
    """Of a page: what is appended to it is a link that people are sent, so it holds no password and no query."""
    url = values.text(value)
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is no number, brackets that do not close
        sound = False
    if not sound or "@" in url or "?" in url or "#" in url or " " in url or not url.isprintable():
        raise InputError(
            "expected where people reach the page of drift serve, such as https://drift.example.org: http or https, "
            "a host, perhaps a port and a path; no user, no query"
        )
    return url.rstrip("/")


class TopSection(Section):
    """The top of a file."""

    version: Annotated[int, PlainValidator(_version)]
    store: Annotated[str, PlainValidator(_database)] | None = None
    page: Annotated[str, PlainValidator(_address)] | None = None
    monitors: Annotated[dict[str, Any], PlainValidator(values.mapping)] = Field(default_factory=dict)
    channels: Annotated[dict[str, Any], PlainValidator(values.mapping)] = Field(default_factory=dict)


class SparkSection(Section):
    """Rows in Spark."""

    remote: Text | None = None
    table: Text | None = None
    query: Text | None = None

    @check(mode="after")
    def _one(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise InputError("give table (such as db.features) or query (a SELECT), and not both")
        return self


class SourceSection(Section):
    """Where the rows are: in files, in a database, or in Spark."""

    later = ("storage",)

    path: Text | None = None
    url: Annotated[str, PlainValidator(_database)] | None = None
    table: Text | None = None
    query: Text | None = None
    timeout: Annotated[timedelta, PlainValidator(values.duration)] | None = None
    spark: SparkSection | None = None

    @check(mode="after")
    def _one(self) -> Self:
        if sum(place is not None for place in (self.path, self.url, self.spark)) != 1:
            raise InputError("give path (files), url and table or query (a database), or spark, and one of them only")
        if self.url is None and (self.table, self.query, self.timeout) != (None, None, None):
            raise InputError("table, query and timeout go with url (for Spark: inside spark)")
        if self.url is not None and (self.table is None) == (self.query is None):
            raise InputError("with url give table (name or schema.name) or query (a SELECT), and not both")
        if self.timeout is not None and self.timeout <= timedelta(0):
            raise InputError("timeout is longer than nothing; leave it out for no limit")
        return self


def _season_windows(value: object) -> int:
    count = values.whole(value)
    if not 1 <= count <= 60:
        raise InputError(f"expected a number of windows, 1 to 60; got {count}")
    return count


class ReferenceSection(Section):
    """What is held against: a stretch of the source, a file, the newest windows, or those of earlier seasons."""

    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = Field(default=None, alias="to")
    path: Text | None = None
    rolling: Annotated[timedelta, PlainValidator(values.duration)] | None = None
    seasonal: Annotated[timedelta, PlainValidator(values.season)] | None = None
    windows: Annotated[int, PlainValidator(_season_windows)] | None = None

    @check(mode="after")
    def _one(self) -> Self:
        stretch = (self.since is not None, self.until is not None)
        others = (self.path, self.rolling, self.seasonal)
        if any(stretch) + sum(kind is not None for kind in others) != 1 or any(stretch) != all(stretch):
            raise InputError(
                "give from and to (a stretch of the source), or path (a file of its own), or rolling (the newest "
                "windows, such as 28d), or seasonal (windows of 1w or 1y ago), and one of them only"
            )
        if self.windows is not None and self.seasonal is None:
            raise InputError("windows says how many of a season: it goes with seasonal; take it out")
        return self


def _bin_count(value: object) -> int:
    return Bins(count=values.whole(value)).count


def _bin_top(value: object) -> int:
    return Bins(top=values.whole(value)).top


def _edges(value: object) -> tuple[int | float, ...] | str:
    chosen = values.bin_method(value)
    if not isinstance(chosen, str):
        Bins(method="edges", edges=chosen)
    return chosen


class BinsSection(Section):
    """How axes are chosen."""

    numeric: Annotated[str | tuple[int | float, ...], PlainValidator(_edges)] | None = None
    count: Annotated[int, PlainValidator(_bin_count)] | None = None
    top: Annotated[int, PlainValidator(_bin_top)] | None = None


def _limit(value: object) -> float:
    return Threshold(values.number(value)).drift


class ThresholdSection(Section):
    """Limits of the user's own."""

    drift: Annotated[float, PlainValidator(_limit)]
    warn: Annotated[float, PlainValidator(_limit)] | None = None

    @check(mode="after")
    def _ordered(self) -> Self:
        self.threshold()
        return self

    def threshold(self) -> Threshold:
        """As the core takes it."""
        return Threshold(self.drift, self.warn)


def _bins_form(value: object) -> object:
    return {"numeric": value} if isinstance(value, str | list) else value


def _threshold_form(value: object) -> object:
    if value == "auto":
        return None
    if isinstance(value, dict):
        return value
    try:
        return {"drift": values.number(value)}
    except ValueError:
        raise InputError(
            f"expected auto, a number, or {{warn: 0.05, drift: 0.1}}; got {values.quote_value(value)}"
        ) from None


class RuleSection(Section):
    """How columns are cut, scored and judged.

    Without a threshold (`auto`) limits are learned from the reference's windows where it holds 8 or more, so that
    false alarms stay within `false_alarms`; else the metric's customary number judges, guarded by the noise.
    """

    metric: Annotated[str, PlainValidator(values.metric)] | None = None
    smoothing: Annotated[Smoothing, PlainValidator(values.smoothing)] | None = None
    base: Annotated[float, PlainValidator(values.log_base)] | None = None
    bins: Annotated[BinsSection, BeforeValidator(_bins_form)] = BinsSection()
    threshold: Annotated[ThresholdSection | None, BeforeValidator(_threshold_form)] = None


class ColumnsSection(Section):
    """Which columns are watched."""

    include: Texts | None = None
    exclude: Texts = ()
    overrides: Annotated[dict[str, RuleSection], BeforeValidator(values.mapping)] = Field(default_factory=dict)


def _count(value: object, least: int) -> int:
    count = values.whole(value)
    if not least <= count <= 10_000:
        raise InputError(f"expected a number of windows, {least} to 10000; got {count}")
    return count


def _channel(channel: str, info: ValidationInfo) -> str:
    known = (info.context or {}).get("channels", ())
    if not known:
        raise InputError(f"no channel {channel!r}: none is defined; add it under channels")
    return values.one_of(channel, known, "channel")


class AlertSection(Section):
    """What becomes of bad verdicts."""

    for_windows: Annotated[int, PlainValidator(lambda v: _count(v, 1))] = Field(default=1, alias="for")
    keep_firing_for: Annotated[int, PlainValidator(lambda v: _count(v, 0))] = 0
    notify: Annotated[tuple[Annotated[Text, AfterValidator(_channel)], ...], BeforeValidator(values.listed)] = ()
    verdicts: (
        Annotated[
            tuple[Annotated[Verdict, PlainValidator(values.bad_verdict)], ...],
            BeforeValidator(values.listed),
        ]
        | None
    ) = None
    labels: Annotated[dict[str, Text], BeforeValidator(values.mapping)] = Field(default_factory=dict)
    runbook: Text | None = None


def _some_time(value: object) -> timedelta:
    length = values.duration(value)
    if length <= timedelta(0):
        raise InputError("expected a time longer than nothing, such as 30m or 7d; leave it out for the default")
    return length


class MonitorSection(RuleSection):
    """One monitor."""

    source: SourceSection
    timestamp: Text
    reference: ReferenceSection
    timezone: Annotated[ZoneInfo, PlainValidator(values.zone)] = ZoneInfo("UTC")
    window: Annotated[Period, PlainValidator(values.period)] = Period(1, "d")
    schedule: Annotated[str, PlainValidator(values.schedule)] | None = None
    delay: Annotated[timedelta, PlainValidator(values.duration)] = timedelta(0)
    deadline: Annotated[timedelta, PlainValidator(_some_time)] = timedelta(hours=1)
    lookback: Annotated[timedelta, PlainValidator(values.duration)] = timedelta(0)
    catch_up: Annotated[timedelta, PlainValidator(_some_time)] | None = None
    keep: Annotated[timedelta, PlainValidator(_some_time)] | None = None
    columns: ColumnsSection = ColumnsSection()
    segments: Texts = ()
    false_alarms: Annotated[Budget, PlainValidator(values.false_alarms)] | None = None
    alert: AlertSection = AlertSection()
    start: Moment | None = None
    end: Moment | None = None


def section_at(path: tuple[str | int, ...]) -> type[Section]:
    """The section of a monitor that a path inside it (the monitor's own name left out) leads to."""
    if not path:
        return MonitorSection
    if len(path) == 3 and path[:2] == ("columns", "overrides"):
        return RuleSection
    sections: dict[str | int, type[Section]] = {
        "source": SourceSection,
        "spark": SparkSection,
        "reference": ReferenceSection,
        "bins": BinsSection,
        "threshold": ThresholdSection,
        "columns": ColumnsSection,
        "alert": AlertSection,
    }
    return sections[path[-1]]
