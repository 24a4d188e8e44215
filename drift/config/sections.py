"""The shape of a configuration, section by section. Field names are the keys a user writes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    create_model,
)
from pydantic import model_validator as check

from drift.config import values
from drift.errors import InputError
from drift.histogram.binning import Bins
from drift.monitors.verdict import Threshold, Verdict
from drift.monitors.window import Period
from drift.stats.false_alarm_budget import Budget
from drift.stats.smoothing import Smoothing

Text = Annotated[str, PlainValidator(values.text)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(values.sequence)]
Moment = Annotated[datetime, PlainValidator(values.moment)]


class Section(BaseModel):
    """A mapping of the configuration: unknown keys are errors, a key without a value counts as absent."""

    # hide_input: no traceback shows a value.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    later: ClassVar[tuple[str, ...]] = ()  # keys of a later release
    files: ClassVar[tuple[str, ...]] = ()  # keys that may be given as KEY_file

    @classmethod
    def allowed(cls) -> list[str]:
        """Return the keys a user may write."""
        named = [field.alias or key for key, field in cls.model_fields.items()]
        return [*named, *(f"{key}_file" for key in cls.files)]

    @check(mode="before")
    @classmethod
    def _without_empty_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            keys = f" with the keys {', '.join(cls.allowed())}" if cls.allowed() else ""
            raise InputError(f"expected a mapping{keys}; got {values.quote_value(data)}")
        return {key: value for key, value in data.items() if value is not None}


def _version(value: object) -> int:
    if isinstance(value, bool) or value != 1:
        raise InputError("this release reads version 1; write version: 1, or use the release the file was written for")
    return 1


def _database(value: object) -> str:
    """Return a database URL; messages never repeat it, because it may hold a password."""
    url = values.text(value)
    scheme, mark, _ = url.partition("://")
    if not mark or not scheme.replace("+", "").replace("_", "").isalnum():
        raise InputError("expected a database URL, such as sqlite:///drift.db or postgresql://user:${PASSWORD}@host/db")
    if scheme == "postgres":
        raise InputError("expected postgresql://, the name SQLAlchemy knows; got postgres://")
    return url


def _address(value: object) -> str:
    """Return the address of the web page; links to it are sent to people, so it holds no password and no query."""
    url = values.text(value)
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # an invalid port, or unbalanced brackets
        is_valid = False
    if not is_valid or "@" in url or "?" in url or "#" in url or " " in url or not url.isprintable():
        raise InputError(
            "expected the address of the web page of drift serve, such as https://drift.example.org: http or https, "
            "a host, optionally a port and a path; no user, no query"
        )
    return url.rstrip("/")


class TopSection(Section):
    """The top of a file."""

    version: Annotated[int, PlainValidator(_version)]
    store: Annotated[str, PlainValidator(_database)] | None = None
    page: Annotated[str, PlainValidator(_address)] | None = None
    monitors: Annotated[dict[str, Any], PlainValidator(values.mapping)] = Field(default_factory=dict)
    channels: Annotated[dict[str, Any], PlainValidator(values.mapping)] = Field(default_factory=dict)


class SourceSection(Section):
    """The data: files, a table or query of a database, or the rows of an engine with options of its own."""

    later = ("storage",)
    engines: ClassVar[Mapping[str, type[Section]]] = {}  # the engines with options of their own, by key

    path: Text | None = None
    url: Annotated[str, PlainValidator(_database)] | None = None
    table: Text | None = None
    query: Text | None = None
    timeout: Annotated[timedelta, PlainValidator(values.duration)] | None = None

    def engine_options(self) -> list[Any]:
        """Return the options of the engine, a `SourceOptions`; empty for files and databases."""
        return [options for name in self.engines if (options := getattr(self, name)) is not None]

    @check(mode="after")
    def _check_one_kind(self) -> Self:
        if (self.path is not None) + (self.url is not None) + len(self.engine_options()) != 1:
            *kinds, last = ("path (files)", "url with table or query (a database)", *self.engines)
            raise InputError(f"give exactly one of {', '.join(kinds)}, and {last}", code="conflicting-keys")
        if self.url is None and (self.table, self.query, self.timeout) != (None, None, None):
            hints = [
                f"for {name.capitalize()}, give them inside {name}"
                for name, options in self.engines.items()
                if {"table", "query"} & options.model_fields.keys()
            ]
            hint = f" ({'; '.join(hints)})" if hints else ""
            raise InputError(f"table, query and timeout require url{hint}", code="conflicting-keys")
        if self.url is not None and (self.table is None) == (self.query is None):
            raise InputError(
                "with url, give either table (name or schema.name) or query (a SELECT)", code="conflicting-keys"
            )
        if self.timeout is not None and self.timeout <= timedelta(0):
            raise InputError("timeout must be above 0; leave it out for no limit")
        return self


def _season_windows(value: object) -> int:
    count = values.whole_number(value)
    if not 1 <= count <= 60:
        raise InputError(f"expected a number of windows, 1 to 60; got {count}")
    return count


class ReferenceSection(Section):
    """The reference: a range of the source, a file, the newest windows, or those of earlier seasons."""

    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = Field(default=None, alias="to")
    path: Text | None = None
    rolling: Annotated[timedelta, PlainValidator(values.duration)] | None = None
    seasonal: Annotated[timedelta, PlainValidator(values.season)] | None = None
    windows: Annotated[int, PlainValidator(_season_windows)] | None = None

    @check(mode="after")
    def _check_one_kind(self) -> Self:
        span = (self.since is not None, self.until is not None)
        others = (self.path, self.rolling, self.seasonal)
        if any(span) + sum(kind is not None for kind in others) != 1 or any(span) != all(span):
            raise InputError(
                "give exactly one of: from and to (a range of the source), path (a separate file), rolling (the newest "
                "windows, such as 28d), seasonal (windows of 1w or 1y ago)",
                code="conflicting-keys",
            )
        if self.windows is not None and self.seasonal is None:
            raise InputError("windows requires seasonal; delete windows, or give seasonal", code="conflicting-keys")
        return self


def _bin_count(value: object) -> int:
    return Bins(count=values.whole_number(value)).count


def _bin_top(value: object) -> int:
    return Bins(top=values.whole_number(value)).top


def _edges(value: object) -> tuple[int | float, ...] | str:
    chosen = values.bin_method(value)
    if not isinstance(chosen, str):
        Bins(method="edges", edges=chosen)
    return chosen


class BinsSection(Section):
    """How bins are chosen."""

    numeric: Annotated[str | tuple[int | float, ...], PlainValidator(_edges)] | None = None
    count: Annotated[int, PlainValidator(_bin_count)] | None = None
    top: Annotated[int, PlainValidator(_bin_top)] | None = None


def _limit(value: object) -> float:
    return Threshold(values.finite_number(value)).drift


class ThresholdSection(Section):
    """Thresholds that the user gives."""

    drift: Annotated[float, PlainValidator(_limit)]
    warn: Annotated[float, PlainValidator(_limit)] | None = None

    @check(mode="after")
    def _check_order(self) -> Self:
        self.threshold()
        return self

    def threshold(self) -> Threshold:
        """Return the core's value."""
        return Threshold(self.drift, self.warn)


def _bins_form(value: object) -> object:
    return {"numeric": value} if isinstance(value, str | list) else value


def _threshold_form(value: object) -> object:
    if value == "auto":
        return None
    if isinstance(value, dict):
        return value
    try:
        return {"drift": values.finite_number(value)}
    except ValueError:
        raise InputError(
            f"expected auto, a number, or {{warn: 0.05, drift: 0.1}}; got {values.quote_value(value)}"
        ) from None


class RuleSection(Section):
    """How columns are binned, scored and judged.

    Without a threshold (`auto`), limits are learned from the reference's windows if it holds 8 or more, so that false
    alarms stay within `false_alarms`; otherwise the metric's default threshold applies, guarded by the noise.
    """

    metric: Annotated[str, PlainValidator(values.metric)] | None = None
    smoothing: Annotated[Smoothing, PlainValidator(values.smoothing)] | None = None
    base: Annotated[float, PlainValidator(values.log_base)] | None = None
    bins: Annotated[BinsSection, BeforeValidator(_bins_form)] = BinsSection()
    threshold: Annotated[ThresholdSection | None, BeforeValidator(_threshold_form)] = None


class ColumnsSection(Section):
    """The monitored columns."""

    include: Texts | None = None
    exclude: Texts = ()
    overrides: Annotated[dict[str, RuleSection], BeforeValidator(values.mapping)] = Field(default_factory=dict)


def _count(value: object, minimum: int) -> int:
    count = values.whole_number(value)
    if not minimum <= count <= 10_000:
        raise InputError(f"expected a number of windows, {minimum} to 10000; got {count}")
    return count


def _channel(channel: str, info: ValidationInfo) -> str:
    known = (info.context or {}).get("channels", ())
    if not known:
        raise InputError(
            f"no channel {channel!r}: no channel is defined; add it under channels", code="unknown-channel"
        )
    return values.one_of(channel, known, "channel", code="unknown-channel")


class AlertSection(Section):
    """When bad verdicts alert, and which channels are notified."""

    for_windows: Annotated[int, PlainValidator(lambda v: _count(v, 1))] = Field(default=1, alias="for")
    keep_firing_for: Annotated[int, PlainValidator(lambda v: _count(v, 0))] = 0
    notify: Annotated[tuple[Annotated[Text, AfterValidator(_channel)], ...], BeforeValidator(values.sequence)] = ()
    verdicts: (
        Annotated[
            tuple[Annotated[Verdict, PlainValidator(values.bad_verdict)], ...],
            BeforeValidator(values.sequence),
        ]
        | None
    ) = None
    labels: Annotated[dict[str, Text], BeforeValidator(values.mapping)] = Field(default_factory=dict)
    runbook: Text | None = None


def _positive_duration(value: object) -> timedelta:
    length = values.duration(value)
    if length <= timedelta(0):
        raise InputError("expected a length of time above 0, such as 30m or 7d; leave it out for the default")
    return length


class MonitorSection(RuleSection):
    """One monitor."""

    source: SourceSection
    timestamp: Text
    reference: ReferenceSection
    timezone: Annotated[ZoneInfo, PlainValidator(values.zone)] = ZoneInfo("UTC")
    window: Annotated[Period, PlainValidator(values.window_length)] = Period(1, "d")
    schedule: Annotated[str, PlainValidator(values.schedule)] | None = None
    delay: Annotated[timedelta, PlainValidator(values.duration)] = timedelta(0)
    deadline: Annotated[timedelta, PlainValidator(_positive_duration)] = timedelta(hours=1)
    lookback: Annotated[timedelta, PlainValidator(values.duration)] = timedelta(0)
    catch_up: Annotated[timedelta, PlainValidator(_positive_duration)] | None = None
    keep: Annotated[timedelta, PlainValidator(_positive_duration)] | None = None
    columns: ColumnsSection = ColumnsSection()
    segments: Texts = ()
    false_alarms: Annotated[Budget, PlainValidator(values.false_alarms)] | None = None
    alert: AlertSection = AlertSection()
    start: Moment | None = None
    end: Moment | None = None


@cache
def monitor_section(engines: tuple[tuple[str, type[Section]], ...]) -> type[MonitorSection]:
    """Return the section of a monitor whose source may also be one of these engines, named with their options."""
    fields: dict[str, Any] = {name: (options | None, None) for name, options in engines}
    source = create_model("SourceSection", __base__=SourceSection, **fields)
    source.engines = dict(engines)
    return create_model("MonitorSection", __base__=MonitorSection, source=(source, ...))


def section_at(monitor: type[MonitorSection], path: tuple[str | int, ...]) -> type[Section]:
    """Return the section that a path below a monitor leads to."""
    if not path:
        return monitor
    source: Any = monitor.model_fields["source"].annotation
    if path[0] == "source":
        section: type[Section] = source if len(path) == 1 else source.engines[path[1]]
        return section
    if len(path) == 3 and path[:2] == ("columns", "overrides"):
        return RuleSection
    sections: dict[str | int, type[Section]] = {
        "reference": ReferenceSection,
        "bins": BinsSection,
        "threshold": ThresholdSection,
        "columns": ColumnsSection,
        "alert": AlertSection,
    }
    return sections[path[-1]]
