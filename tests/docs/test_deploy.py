"""What is deployed fits what is installed: units, image, compose, manifests and docs/operations.md against the program.

No container is started here: every `drift ...` line is parsed by the command itself, and what one file says of another
(names of secrets, ports, probes) is held together.
"""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from drift.cli import app
from drift.cli.output import DRIFT, OK, UNCHECKED, USAGE
from drift.cli.secret_files import SecretFiles
from drift.server.web.access import access_for
from drift.server.web.auth_middleware import PROBES
from tests.support.configurations import read_config
from tests.support.paths import ROOT

DEPLOY = ROOT / "config" / "deploy"
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
UNITS = sorted(path.name for path in DEPLOY.glob("*.service"))
PORT = 8756


def parse(words: list[str]) -> None:
    """Let the command itself read a line, to the last option, without doing what it says."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("drift", list(words))
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
    assert not context.args, f"left over: {context.args}"


def said(line: str) -> Iterator[list[str]]:
    """The words after `drift` (or /path/to/drift), of each command of a line of shell that is one."""
    lexed = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    lexed.whitespace_split = True
    for operator, group in groupby(lexed, key=lambda word: set(word) <= set("|&;<>()")):
        words = list(group)
        while words and re.fullmatch(r"[A-Z_]+=.*|[-\d*/,]+", words[0]):  # variables; a cron line's five fields
            del words[0]
        if words[:2] == ["docker", "compose"] and "exec" in words:
            words = words[words.index("exec") + 2 :]  # behind the service's name
        if not operator and len(words) > 1 and Path(words[0]).name == "drift":
            yield [word for word in words[1:] if word != "2"]  # of 2>&1


def of_units() -> Iterator[list[str]]:
    for name in UNITS:
        for line in re.findall(r"^ExecStart\w*=(.*)$", (DEPLOY / name).read_text(encoding="utf-8"), re.MULTILINE):
            yield from said(line.replace("%N", name.partition(".")[0]).replace("%H", "host"))


def exec_form(instruction: str) -> list[str]:
    (found,) = re.findall(rf"^{instruction} (\[.*\])$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    words: list[str] = json.loads(found)
    return words


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return document


def containers() -> Iterator[dict[str, Any]]:
    for document in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")):
        spec = document["spec"].get("jobTemplate", document)["spec"]["template"]["spec"]
        yield from ({**one, "volumes": spec["volumes"]} for one in spec["containers"])


def of_containers() -> Iterator[list[str]]:
    yield exec_form("CMD")
    yield from (one["command"] for name, one in compose()["services"].items() if name != "db")
    for one in containers():
        known = {f"$({each['name']})": each["name"] for each in one["env"]}
        yield [known.get(word, word) for word in one["args"]]


def blocks(*languages: str) -> list[str]:
    found = re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert found, f"the page has no {' or '.join(languages)} example"
    return found


def of_page() -> Iterator[list[str]]:
    for block in blocks("console", "sh", "cron"):
        for line in block.replace("\\\n", " ").splitlines():
            yield from said(line.partition(" #")[0])
    for block in blocks("python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from said(node.value)
            if isinstance(node, ast.List) and all(isinstance(part, ast.Constant) for part in node.elts):
                words = ast.literal_eval(node)
                if words and words[0] == "drift":
                    yield words[1:]


def of_prose() -> Iterator[list[str]]:
    yield from map(shlex.split, re.findall(r"`drift ([^`]+)`", PAGE))


LINES = [*of_units(), *of_containers(), *of_page(), *of_prose()]


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_every_command_line_is_one_that_drift_takes(words: list[str]) -> None:
    bare = len(words) == 1 and words in list(of_prose())  # a command's name in a sentence: what it needs is left out
    try:
        parse(words)
    except Exception as error:
        if not (bare and type(error).__name__ == "MissingParameter"):
            raise


def test_lines_are_found_everywhere_and_a_wrong_one_is_refused() -> None:
    assert len(list(of_units())) == len(UNITS) == 2
    assert len(list(of_containers())) == 6
    assert len(list(of_page())) > 5
    assert len(list(of_prose())) > 15
    assert list(said("cd /srv && FOO=1 /opt/drift/bin/drift run --json 2>&1 | jq .")) == [["run", "--json"]]
    for wrong in (["serve", "--hots", "0.0.0.0"], ["db", "upgrad"], ["run", "--fail-on", "warning"]):
        with pytest.raises(Exception, match=r"(?i)no such|is not one of"):
            parse(wrong)


@pytest.fixture
def systemd_analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        reason = "no systemd-analyze (Debian: systemd): the units are not verified"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Copies of the units whose program is there."""
    made = []
    for path in sorted({*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")}):
        text = path.read_text(encoding="utf-8").replace("/opt/drift/bin/drift", sys.executable)
        made.append(tmp_path / path.name)
        made[-1].write_text(text, encoding="utf-8")
    return made


def test_systemd_finds_nothing_wrong_with_the_units(systemd_analyze: str, units: list[Path]) -> None:
    done = subprocess.run([systemd_analyze, "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", UNITS)
def test_systemd_counts_the_units_among_the_hardened(systemd_analyze: str, units: list[Path], name: str) -> None:
    """2.0 of 10 is what systemd's own scale calls OK; a unit that says nothing of itself has above 9."""
    unit = next(path for path in units if path.name == name)
    line = [systemd_analyze, "security", "--offline=yes", "--threshold=20", unit]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]


def test_units_are_locked_alike_and_come_back_as_told() -> None:
    service, once = ((DEPLOY / name).read_text("utf-8") for name in ("drift.service", "drift-run.service"))
    lock = re.compile(
        r"^(?:Protect|Private|Restrict(?!art)|System|NoNew|Capab|Lock|Dynamic|State|UMask).*$", re.MULTILINE
    )
    assert lock.findall(service) == lock.findall(once)
    assert len(lock.findall(service)) > 20
    assert "Restart=on-failure" in service
    assert f"RestartPreventExitStatus={USAGE}\n" in service
    assert f"SuccessExitStatus={DRIFT}\n" in once


def test_the_image_exposes_its_port_as_an_unprivileged_user() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert exec_form("ENTRYPOINT") == ["drift"]
    assert f"EXPOSE {PORT}" in text
    default = next(p for p in typer.main.get_command(app).commands["serve"].params if p.name == "port").default
    assert default == PORT
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", text, re.MULTILINE)


class _Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path in PROBES else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (None, False)])
def test_the_images_health_is_that_of_healthz(status: int | None, healthy: bool) -> None:
    _, minus, code = exec_form("    CMD")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Health,), {"status": status}))
    port = server.server_address[1]
    if status is None:
        server.server_close()
    else:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    try:
        line = [sys.executable, minus, code.replace(str(PORT), str(port))]
        done = subprocess.run(line, capture_output=True, check=False, timeout=30)
    finally:
        if status is not None:
            server.shutdown()
            server.server_close()
    assert (done.returncode == 0) is healthy


def test_the_build_context_contains_the_files_of_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], "pyproject.toml"}
    needed |= {project["project"]["readme"], *project["project"]["license-files"]}
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line.removeprefix("!") for line in sent if line.startswith("!")} == needed
    assert "config" in wheel["force-include"], "this folder travels inside the wheel"


def test_compose_holds_together() -> None:
    document = compose()
    services = document["services"]
    for one in services.values():
        assert set(one["secrets"]) <= set(document["secrets"])
        assert set(one.get("depends_on", {})) <= set(services)
        named = [volume.partition(":")[0] for volume in one["volumes"] if not volume.startswith(".")]
        assert set(named) <= set(document["volumes"])
        for name, value in one["environment"].items():
            assert not name.endswith("_FILE") or value.removeprefix("/run/secrets/") in one["secrets"]
    assert services["db"]["image"] == "postgres:18"
    assert services["drift"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    context = DEPLOY / services["drift"]["build"]["context"]
    assert (context / services["drift"]["build"]["dockerfile"]).resolve() == DEPLOY / "Dockerfile"


def test_the_configuration_beside_compose_loads_with_its_secrets(tmp_path: Path) -> None:
    environ = {}
    for name, value in compose()["services"]["drift"]["environment"].items():
        if name.endswith("_FILE"):
            (tmp_path / name).write_text("5ec2e7\n")
            environ[name] = str(tmp_path / name)
        else:
            environ[name] = re.sub(r"\$\{\w+:-(.*)\}", r"\1", value)
    config = read_config(DEPLOY / "drift.yaml", SecretFiles(environ), strict=True)
    assert config.store == "postgresql://drift:5ec2e7@db/drift"
    assert list(config.monitors) == ["rides"]
    assert access_for("0.0.0.0", SecretFiles(environ)).token == "5ec2e7"


def test_manifests_probe_what_is_open_and_mount_what_they_name() -> None:
    probed = set()
    for one in containers():
        mounts = {mount["name"]: mount["mountPath"] for mount in one["volumeMounts"]}
        assert mounts.keys() <= {volume["name"] for volume in one["volumes"]}
        files = [Path(each["value"]) for each in one["env"] if each["name"].endswith("_FILE")]
        assert files
        assert all(str(path.parent) in mounts.values() for path in files)
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        for probe in ("livenessProbe", "readinessProbe"):
            if probe in one:
                probed.add(one[probe]["httpGet"]["path"])
                assert one["ports"] == [{"name": one[probe]["httpGet"]["port"], "containerPort": PORT}]
    assert probed == PROBES


@pytest.mark.parametrize("example", blocks("python"))
def test_python_examples_are_python(example: str) -> None:
    compile(example, "operations.md", "exec")


def test_the_page_tells_the_exit_statuses_that_the_program_has() -> None:
    rows = re.findall(r"^\| (\d) \| (.+?) \|", PAGE, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [OK, DRIFT, USAGE, UNCHECKED]


def test_every_metric_of_the_page_is_one_that_is_served() -> None:
    named = set(re.findall(r"\b(drift_[a-z_]+)\b", PAGE)) - {"drift_token"}  # the name of a secret
    told = {name.removesuffix("_info") for name in named}
    source = "".join(path.read_text("utf-8") for path in (ROOT / "drift" / "server" / "web").glob("*.py"))
    served = set(re.findall(r'"(drift_[a-z_]+)"', source))
    assert told
    assert told <= served
    assert served - told <= {"drift_build", "drift_session"}, "the page leaves one out"  # what it is; a cookie


def test_every_link_and_every_file_named_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", PAGE) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    assert {path.name for path in DEPLOY.iterdir()} - {Path(link).name for link in links} <= {"Dockerfile.dockerignore"}
