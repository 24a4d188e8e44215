"""Pages, API and metrics agree with the store, whatever the names are."""

import json
import re
import sqlite3
import threading
from contextlib import closing
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from drift.monitors.window import Window
from drift.server.web import schemas
from tests.support.paths import ROOT

DOCUMENTS = {
    "monitors": schemas.Monitors,
    "scores": schemas.Scores,
    "windows": schemas.Windows,
    "alerts": schemas.Alerts,
}


def metrics(served: Any) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and label values."""
    families = text_string_to_metric_families(served.get("/metrics").text)
    return {(s.name, *(s.labels[k] for k in sorted(s.labels))): s.value for f in families for s in f.samples}


def without_markup(page: str) -> str:
    """Return the page with dates as plain text."""
    return re.sub(r'<span class="still">([^<]*)</span>', r"\1", page)


def test_before_the_first_check_nothing_is_ready(served: Any, make: Any) -> None:
    assert served.get("/readyz").status_code == 503
    assert "not checked" in served.get("/").text
    assert served.get("/api/v1/windows").json() == {"version": 1, "windows": []}
    response = served.get(f"/monitors/{quote(make.NAME, safe='')}")
    assert response.status_code == 404
    assert response.json()["code"] == "not-checked"
    assert make.NAME in response.json()["error"] or repr(make.NAME) in response.json()["error"]


def test_the_api_returns_the_rows_of_the_store(served: Any) -> None:
    served.service.tick()
    assert served.get("/api/v1/scores").json() == {"version": 1, "scores": served.store.queries.scores()}
    assert served.get("/api/v1/windows").json() == {"version": 1, "windows": served.store.queries.windows()}
    assert served.get("/api/v1/alerts").json() == {"version": 1, "alerts": served.store.queries.alerts()}
    assert len(served.store.queries.scores()) == 12  # six days of two columns
    for name, model in DOCUMENTS.items():
        document = served.get(f"/api/v1/{name}").json()
        assert model.model_validate(document).model_dump(mode="json") == document
        assert document[name]


def test_filters_are_those_of_the_commands(served: Any, make: Any) -> None:
    served.service.tick()
    since = make.FIRST + timedelta(days=2)
    bounds = {"from": "2024-01-10", "to": "2024-01-12T00:00+00:00"}
    rows = served.get("/api/v1/scores", params={**bounds, "column": "amount", "segment": ""}).json()["scores"]
    assert rows == served.store.queries.scores(
        column="amount", segment="", since=since, until=since + timedelta(days=2)
    )
    assert [row["window_start"] for row in rows] == ["2024-01-10T00:00Z", "2024-01-11T00:00Z"]
    assert served.get("/api/v1/windows", params={"monitor": "nobody"}).json()["windows"] == []
    assert len(served.get("/api/v1/windows", params={"revisions": "all"}).json()["windows"]) == 6
    firing = served.get("/api/v1/alerts", params={"state": "firing"}).json()["alerts"]
    assert [(row["monitor"], row["column"]) for row in firing] == [(make.NAME, "amount")]


def test_times_without_a_zone_are_in_that_of_the_monitor(project: Path, sqlite_url: str, make: Any) -> None:
    text = project.read_text(encoding="utf-8").replace("    window:", "    timezone: Asia/Tokyo\n    window:")
    project.write_text(text, encoding="utf-8")
    with make.serving(project, sqlite_url) as served:
        served.service.tick()
        here = {"monitor": make.NAME, "from": "2024-01-10", "to": "2024-01-11"}
        rows = served.get("/api/v1/windows", params=here).json()["windows"]
        assert [row["window_start"] for row in rows] == ["2024-01-09T15:00Z"]  # midnight in Tokyo, UTC+9


@pytest.mark.parametrize(
    "query", ["from=2011", "from=yesterday", "to=1704067200", "revisions=some", "colum=a", "from=2024-13-01"]
)
@pytest.mark.parametrize("name", ["scores", "windows"])
def test_an_invalid_filter_is_refused(idle: Any, name: str, query: str) -> None:
    response = idle.get(f"/api/v1/{name}?{query}")
    assert response.status_code == 422
    assert query.split("=", maxsplit=1)[0] in response.json()["error"]
    assert response.json()["code"] == ("unknown-key" if query in {"colum=a", "windows=2024-01-10"} else "invalid-value")


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00+05:00", "9999-12-31T23:59-05:00"])
def test_a_time_outside_all_dates_is_refused(served: Any, make: Any, moment: str) -> None:
    served.service.tick()
    requests = [(f"/api/v1/{name}", {key: moment}) for name in ("scores", "windows") for key in ("from", "to")]
    for path, query in [*requests, (f"/monitors/{quote(make.NAME, safe='')}", {"window": moment})]:
        response = served.get(path, params=query)
        assert response.status_code == 422, (path, query)
        assert response.json()["code"] == "invalid-value"
        assert "years 1 to 9999" in response.json()["error"]


def test_times_just_within_all_dates_are_accepted(served: Any, make: Any) -> None:
    served.service.tick()
    first, last = "0001-01-01T00:00Z", "9999-12-31"
    assert len(served.get("/api/v1/windows", params={"from": first, "to": last}).json()["windows"]) == 6
    for moment in (first, last):
        assert served.get(f"/monitors/{quote(make.NAME, safe='')}", params={"window": moment}).status_code == 200


def test_an_unknown_state_is_refused(idle: Any) -> None:
    assert idle.get("/api/v1/alerts?state=burning").status_code == 422


def test_metrics_agree_with_the_store(served: Any, make: Any) -> None:
    served.service.tick()
    values = metrics(served)
    name = make.NAME
    verdicts = [row["verdict"] for row in served.store.queries.windows()]
    assert values["drift_windows", name, "drift"] == verdicts.count("drift") == 3  # from the shift on
    assert values["drift_windows", name, "ok"] == verdicts.count("ok") == 3
    assert values["drift_windows_waiting", name] == 0
    assert values["drift_alerts_firing", name] == len(served.store.queries.alerts(state="firing")) == 1
    assert values["drift_deliveries", "sent"] == 1
    assert values["drift_deliveries", "dead"] == 0
    assert values["drift_last_success_timestamp_seconds", name] == served.clock[0].timestamp()
    assert values["drift_tick_age_seconds",] == 0
    served.clock[0] += timedelta(seconds=91)
    assert metrics(served)["drift_tick_age_seconds",] == 91
    assert metrics(served)["drift_ready",] == 0
    assert "no heartbeat for 91 s" in served.get("/readyz").text


def test_metrics_of_pending_windows_and_their_age(served: Any, make: Any) -> None:
    name, now = make.NAME, served.clock[0]
    assert ("drift_lag_seconds", name) not in metrics(served), "there is no checked window"
    served.service.tick()
    values = metrics(served)
    assert values["drift_lag_seconds", name] == (now - make.LAST).total_seconds() == 3600
    assert values["drift_last_check_timestamp_seconds", name] == now.timestamp()
    assert values["drift_windows_overdue", name] == values["drift_oldest_due_window_age_seconds", name] == 0
    assert values["drift_windows_skipped", name] == 0
    assert values["drift_store_size_bytes",] == served.store.queries.size()
    assert ("drift_deliveries_waiting", "team") not in values, "everything is sent"

    again = served.store.monitors.find(name)
    last = Window(make.LAST - timedelta(days=1), make.LAST)
    served.store.windows.plan_backfill(again, [(last, now - timedelta(hours=2))])
    values = metrics(served)
    assert values["drift_windows_waiting", name] == values["drift_windows_overdue", name] == 1
    assert values["drift_oldest_due_window_age_seconds", name] == 7200
    assert values["drift_windows", name, "drift"] == 3, "the verdict stays until the window is evaluated again"


def test_metrics_of_pending_deliveries(served: Any) -> None:
    received = served.config.folder / "notifications.jsonl"
    received.mkdir()  # a folder in place of the channel's file, so the delivery fails
    served.service.tick()
    served.clock[0] += timedelta(hours=1)
    values = metrics(served)
    assert values["drift_deliveries", "pending"] == values["drift_deliveries_waiting", "team"] == 1
    assert values["drift_oldest_delivery_age_seconds", "team"] == 3600


def test_the_operations_page_lists_exactly_these_metrics(served: Any) -> None:
    served.service.tick()
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`drift_[^|]*) \|", page, re.MULTILINE)
    received = set(re.findall(r"`(drift_[a-z_]+)", "".join(rows)))
    families = text_string_to_metric_families(served.get("/metrics").text)
    served_names = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    assert served_names == received


def test_metric_names_follow_the_conventions_of_prometheus(served: Any) -> None:
    """Base units at the end; no suffixes of counters and histograms."""
    served.service.tick()
    families = list(text_string_to_metric_families(served.get("/metrics").text))
    assert len({family.name for family in families}) == len(families) > 10
    for family in families:
        assert re.fullmatch(r"drift_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        assert not re.search(r"_(total|count|sum|bucket|ms|minutes|hours|mb)$", family.name)
        for measure, unit in {"age": "seconds", "timestamp": "seconds", "lag": "seconds", "size": "bytes"}.items():
            assert family.name.endswith(f"_{unit}") or measure not in family.name.split("_")


def test_a_response_above_the_limit_is_refused(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    served.service.tick()
    monkeypatch.setattr("drift.server.web.api.MAX_ROWS", 11)  # of 12 scores and 6 windows
    response = served.get("/api/v1/scores")
    assert response.status_code == 422
    assert response.json()["code"] == "result-limit"
    assert "11" in response.json()["error"]
    assert len(served.get("/api/v1/scores", params={"column": "amount"}).json()["scores"]) == 6
    assert len(served.get("/api/v1/windows").json()["windows"]) == 6


def test_the_index_links_to_every_monitor(served: Any, make: Any) -> None:
    served.service.tick()
    text = served.get("/").text
    assert "1 of 1 monitors drifted in the newest window" in text
    assert "<i>" not in text
    assert "a/b &lt;i&gt;&amp;&#34;é" in text
    link = f"/monitors/{quote(make.NAME, safe='')}"
    assert f'href="{link}"' in text
    report = served.get(link)
    assert report.status_code == 200
    assert "<i>&" not in report.text
    assert "amount" in report.text


def test_a_page_links_to_older_windows_and_back(served: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drift.report.stored_page.MIN_WINDOWS_SHOWN", 4)
    monkeypatch.setattr("drift.server.web.app.MAX_PAGE_CELLS", 1)
    served.service.tick()  # six windows of two columns, from the 8th on
    here = f"/monitors/{quote(make.NAME, safe='')}"
    newest = without_markup(served.get(here).text)
    assert "drifted on 2024-01-13" in newest
    assert "Newest windows" not in newest
    (older,) = re.findall(r'href="([^"]*)" rel="prev"', newest)
    assert older == f"{here}?window=2024-01-09T00:00Z"
    before = without_markup(served.get(older).text)
    assert "drifted on 2024-01-09" in before
    assert "Older windows" not in before
    assert f'href="{here}">Newest windows' in before
    assert 'href="/">All monitors' in before


@pytest.mark.parametrize(("query", "day"), [("2024-01-10", "10"), ("2024-01-10T23:59Z", "10"), ("2034-01-01", "13")])
def test_a_page_shows_the_requested_window(served: Any, make: Any, query: str, day: str) -> None:
    served.service.tick()
    text = without_markup(served.get(f"/monitors/{quote(make.NAME, safe='')}", params={"window": query}).text)
    assert f"drifted on 2024-01-{day}" in text


def test_a_page_of_a_time_before_all_windows_says_so(served: Any, make: Any) -> None:
    served.service.tick()
    text = served.get(f"/monitors/{quote(make.NAME, safe='')}?window=2023-01-01").text
    assert "No window in this range has been checked" in text


@pytest.mark.parametrize("query", ["window=2011", "window=soon", "windows=2024-01-10"])
def test_an_invalid_window_is_refused(served: Any, make: Any, query: str) -> None:
    served.service.tick()
    response = served.get(f"/monitors/{quote(make.NAME, safe='')}?{query}")
    assert response.status_code == 422
    assert query.split("=", maxsplit=1)[0] in response.json()["error"]
    assert response.json()["code"] == ("unknown-key" if query in {"colum=a", "windows=2024-01-10"} else "invalid-value")


def test_a_notification_links_to_the_page_of_its_window(project: Path, sqlite_url: str, make: Any) -> None:
    received: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        threading.Thread(target=receiver.serve_forever).start()
        text = project.read_text(encoding="utf-8")
        hook = f"team: {{type: webhook, url: 'http://127.0.0.1:{receiver.server_port}/'}}"
        text = text.replace("team: {type: file, path: notifications.jsonl}", hook)
        project.write_text(text.replace("version: 1", "version: 1\npage: https://drift.example.org/"), encoding="utf-8")
        with make.serving(project, sqlite_url) as served:
            served.service.tick()
            receiver.shutdown()
            (message,) = received
            assert message["link"].startswith("https://drift.example.org/monitors/")
            page = served.get(message["link"].removeprefix("https://drift.example.org"))
    assert page.status_code == 200
    day = message["window"]["start"][:10]
    assert f"drifted on {day}, most: {message['events'][0]['column']}" in without_markup(page.text)


def test_names_that_are_markup_stay_data(served: Any, make: Any) -> None:
    served.service.tick()
    evil = "</script><script>alert(1)</script>"
    assert served.get(f"/monitors/{quote(evil, safe='')}").status_code == 404
    for path in ("/", f"/monitors/{quote(make.NAME, safe='')}", f"/monitors/{quote(evil, safe='')}"):
        response = served.get(path)
        assert "<script>alert" not in response.text or response.headers["content-type"] == "application/json"


def test_only_known_static_files_are_served(idle: Any) -> None:
    for name in ("report.css", "report.js"):
        assert "immutable" in idle.get(f"/static/{name}").headers["cache-control"]
    for name in ("app.py", "..%2fhtml.py", "../html.py", ""):
        assert idle.get(f"/static/{name}").status_code == 404


def test_a_failing_store_is_reported_and_the_service_goes_on(project: Path, tmp_path: Path, make: Any) -> None:
    path = tmp_path / "own.db"
    with make.serving(project, f"sqlite:///{path}") as served:
        served.service.tick()
        assert served.get("/readyz").status_code == 200
        with closing(sqlite3.connect(path)) as broken, broken:
            broken.execute("ALTER TABLE monitor RENAME TO lost")
        ready = served.get("/readyz")
        assert (ready.status_code, "store does not respond" in ready.text) == (503, True)
        assert "monitor" not in ready.text  # open to all: no internal details
        for name in DOCUMENTS:
            response = served.get(f"/api/v1/{name}")
            assert response.status_code == 503
            assert "no such table" in response.json()["error"]
            assert schemas.ErrorDocument.model_validate(response.json()).code
        served.service.tick()
        assert served.service.health.failed
        with closing(sqlite3.connect(path)) as repaired, repaired:
            repaired.execute("ALTER TABLE lost RENAME TO monitor")
        served.service.tick()
        assert served.get("/readyz").status_code == 200
        assert not served.service.health.failed


def test_a_failing_monitor_is_shown_with_its_reason(served: Any, make: Any) -> None:
    data = served.config.folder / "rows.parquet"
    data.rename(data.with_suffix(".away"))
    served.service.tick()
    assert "no file matches" in served.get("/").text
    assert "no file matches" in served.get("/api/v1/monitors").json()["monitors"][0]["problem"]
    assert metrics(served)["drift_monitor_failing", make.NAME] == 1
    assert served.get("/readyz").status_code == 200  # the service itself works
    data.with_suffix(".away").rename(data)
    served.service.tick()
    assert "no file matches" not in served.get("/").text
    assert metrics(served)["drift_monitor_failing", make.NAME] == 0


def test_a_removed_monitor_is_listed_separately(served: Any, make: Any) -> None:
    served.service.tick()
    served.store.monitors.define("renamed <b>", {"window": "1d"}, make.LAST)
    text = served.get("/").text
    above, below = text.split("No longer configured")
    assert "renamed &lt;b&gt;" in below
    assert "renamed" not in above
    assert "of 1 monitors drifted" in above
    rows = {row["monitor"]: row for row in served.get("/api/v1/monitors").json()["monitors"]}
    assert (rows["renamed <b>"]["configured"], rows["renamed <b>"]["problem"]) == (False, "")
    assert rows[make.NAME]["configured"] is True
    values = metrics(served)
    assert values["drift_monitors_not_configured",] == 1
    assert [labels for labels in values if "renamed <b>" in labels] == []
    assert values["drift_monitor_failing", make.NAME] == 0


@pytest.mark.browser
def test_the_report_draws_itself_under_the_strict_policy(served: Any, make: Any, browser: Any) -> None:
    served.service.tick()
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(served.url)
    page.get_by_role("link", name=make.NAME).first.click()
    page.wait_for_selector("#heatmap svg")
    assert page.title() == make.NAME
    assert page.locator("details.column").count() == 2
    page.close()
    assert said == []
