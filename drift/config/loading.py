"""A configuration from its file or folder: everything that is wrong told at once, with its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from drift.config.build_monitor import absolute_url, monitor
from drift.config.channels import ChannelSpec, channel
from drift.config.diagnostics import Problem, ordered, refuse, report
from drift.config.environment import fill
from drift.config.sections import TopSection
from drift.config.validation_errors import explain
from drift.config.yaml_loader import YamlTree, read
from drift.errors import ConfigError
from drift.monitors.spec import Monitor

_DEFAULT_STORE: Final = "sqlite:///drift.db"
_TEXTS: Final = ("store", "page")  # keys at the top that hold one text


@dataclass(frozen=True, slots=True, repr=False)
class Config:
    """A sound configuration.

    Parameters
    ----------
    store : str
        SQLAlchemy URL, secrets filled in; a relative SQLite path is made absolute. Not shown by repr.
    monitors : mapping of str to Monitor
        The sound monitors, in the order of the files.
    channels : mapping of str to ChannelSpec
        Where alerts go.
    folder : Path
        Relative paths start here: the folder of the configuration, absolute.
    warnings : tuple of str
        What is accepted and yet worth knowing, each with its place.
    broken : mapping of str to str
        Monitors that cannot be used and why; empty where `load` was strict.
    """

    store: str
    monitors: Mapping[str, Monitor]
    channels: Mapping[str, ChannelSpec]
    folder: Path
    warnings: tuple[str, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        names = f"monitors={list(self.monitors)}, channels={list(self.channels)}, broken={list(self.broken)}"
        return f"Config(folder={str(self.folder)!r}, {names})"


@dataclass(slots=True)
class _Merged:
    """What the files of a folder hold together; every name with the document that defines it."""

    texts: dict[str, tuple[str, YamlTree]] = field(default_factory=dict)
    monitors: dict[str, YamlTree] = field(default_factory=dict)
    channels: dict[str, YamlTree] = field(default_factory=dict)


def load(path: Path, environ: Mapping[str, str], *, strict: bool = True) -> Config:
    """Read a configuration.

    Parameters
    ----------
    path : Path
        A YAML file, or a folder whose ``*.yaml`` and ``*.yml`` files are read as one (hidden ones and
        folders inside are left alone).
    environ : mapping of str to str
        Fills in ``${NAME}``.
    strict : bool
        False keeps going past a monitor that is wrong: it stands in `Config.broken`, with the reason.
        What is wrong outside of monitors raises all the same.

    Raises
    ------
    ConfigError
        Naming everything that is wrong, a line each: file, line, key, what came, what to do.
    """
    problems: list[Problem] = []
    warnings: list[Problem] = []
    files, folder = _files(path)
    trees = [tree for file in files if (tree := read(file, str(file), problems)) is not None]
    if len(trees) < len(files):
        refuse(problems)  # what else seems wrong may be so only because a file is not read
    merged = _merge(trees, environ, problems)
    channels, monitors = {}, {}
    for name, tree in merged.channels.items():
        spec, found = channel(tree, name, environ, folder)
        problems += found
        if spec is not None:
            channels[name] = spec
    page = merged.texts["page"][0].rstrip("/") if "page" in merged.texts else None
    for name, tree in merged.monitors.items():
        built, found, heard = monitor(tree, name, environ, folder, merged.channels, page)
        problems += found
        warnings += heard
        if built is not None:
            monitors[name] = built
    if not merged.monitors and not problems:
        told = "no monitor is defined; add one under monitors, or let `drift init DATA` write a first one"
        problems.append(Problem(str(path), None, ("monitors",), told))
    refuse(p for p in problems if strict or p.monitor is None)
    broken = {
        name: report(p for p in problems if p.monitor == name)
        for name in (p.monitor for p in problems)
        if name is not None
    }
    return Config(
        store=absolute_url(merged.texts["store"][0] if "store" in merged.texts else _DEFAULT_STORE, folder),
        monitors={name: built for name, built in monitors.items() if name not in broken},
        channels=channels,
        folder=folder,
        warnings=tuple(str(w) for w in ordered(warnings) if w.monitor not in broken),
        broken=broken,
    )


def _files(path: Path) -> tuple[list[Path], Path]:
    """The files to read, and the folder that relative paths start from."""
    start = "let `drift init DATA` write a first one"
    try:
        if not path.is_dir():
            if path.exists():
                return [path], path.parent.absolute()
            raise ConfigError(f"{path}: no such file; name another with --config, or {start}")
        files = [f for f in path.iterdir() if f.suffix in {".yaml", ".yml"} and not f.name.startswith(".")]
        files = sorted(file for file in files if not file.is_dir())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    if not files:
        raise ConfigError(f"{path}: the folder holds no *.yaml or *.yml file; add one, or {start}")
    return files, path.absolute()


def _merge(trees: list[YamlTree], environ: Mapping[str, str], problems: list[Problem]) -> _Merged:
    merged = _Merged()
    for tree in trees:
        try:
            TopSection.model_validate(_top(tree, environ, problems))
        except ValidationError as error:
            problems += explain(error, tree, (), lambda _: TopSection, problems)
        if not isinstance(tree.value, dict):
            continue
        for key in _TEXTS:
            if isinstance(tree.value.get(key), str):
                if key in merged.texts:
                    problems.append(_twice(tree, (key,), merged.texts[key][1]))
                merged.texts[key] = (fill(tree, (key,), environ, []), tree)
        for kind, known in (("monitors", merged.monitors), ("channels", merged.channels)):
            section = tree.value.get(kind)
            for name in section if isinstance(section, dict) else ():
                if name in known:
                    problems.append(_twice(tree, (kind, name), known[name]))
                else:
                    known[name] = tree
    return merged


def _top(tree: YamlTree, environ: Mapping[str, str], problems: list[Problem]) -> Any:
    """The top of a document, its texts filled in; monitors and channels are filled in by themselves."""
    if not isinstance(tree.value, dict):
        return tree.value
    return tree.value | {key: fill(tree, (key,), environ, problems) for key in _TEXTS if key in tree.value}


def _twice(tree: YamlTree, path: tuple[str, ...], first: YamlTree) -> Problem:
    place = f"{first.file}:{first.lines[path]}"
    return tree.problem(path, f"defined twice; first in {place}: rename one of them, or delete it")
