"""A configuration from its file or folder: all problems are reported at once, with their places."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from drift.config.build_monitor import absolute_url, build_monitor
from drift.config.channel_options import ChannelOptions
from drift.config.channels import ChannelSpec, build_channel
from drift.config.diagnostics import Problem, format_problems, ordered, raise_problems
from drift.config.environment import fill
from drift.config.sections import TopSection, monitor_section
from drift.config.source_options import SourceOptions
from drift.config.validation_errors import explain
from drift.config.yaml_loader import YamlTree, read
from drift.monitors.spec import Monitor

_DEFAULT_STORE: Final = "sqlite:///drift.db"
_TEXT_KEYS: Final = ("store", "page")  # keys of the top that hold one text


@dataclass(frozen=True, slots=True, repr=False)
class Config:
    """A valid configuration.

    Parameters
    ----------
    store : str
        SQLAlchemy URL, secrets filled in; a relative SQLite path is made absolute. Not shown by repr.
    monitors : mapping of str to Monitor
        The valid monitors, in the order of the files.
    channels : mapping of str to ChannelSpec
        The channels that notifications go to.
    folder : Path
        The folder of the configuration, absolute: relative paths start there.
    warnings : tuple of str
        Valid values that are probably not intended, each with its place.
    broken : mapping of str to str
        Invalid monitors and their problems; empty if `load` was strict.
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
    """The files of a folder as one: each name with the document that defines it."""

    texts: dict[str, tuple[str, YamlTree]] = field(default_factory=dict)
    monitors: dict[str, YamlTree] = field(default_factory=dict)
    channels: dict[str, YamlTree] = field(default_factory=dict)


def load(
    path: Path,
    environ: Mapping[str, str],
    channel_options: Mapping[str, type[ChannelOptions]],
    engine_options: Mapping[str, type[SourceOptions]],
    *,
    strict: bool = True,
) -> Config:
    """Read a configuration.

    Parameters
    ----------
    path : Path
        A YAML file, or a folder whose ``*.yaml`` and ``*.yml`` files are read as one (hidden files and subfolders
        are ignored).
    environ : mapping of str to str
        Fills in ``${NAME}``.
    channel_options : mapping of str to type
        The options class of each channel type, such as `drift.notify.channels.channel_option_classes` returns.
    engine_options : mapping of str to type
        The options class of each engine that has one, such as `drift.sources.engine_option_classes` returns.
    strict : bool
        If False, an invalid monitor does not raise: `Config.broken` names it and its problems. Problems outside of
        monitors raise in any case.

    Raises
    ------
    InvalidConfigError
        With one line for each problem: file, line, key, message, code.
    """
    problems: list[Problem] = []
    warnings: list[Problem] = []
    files, folder = _files(path)
    trees = [tree for file in files if (tree := read(file, str(file), problems)) is not None]
    if len(trees) < len(files):
        raise_problems(problems)  # the others may follow only from the unreadable file
    merged = _merge(trees, environ, problems)
    channels, monitors = {}, {}
    for name, tree in merged.channels.items():
        spec, errors = build_channel(tree, name, environ, folder, channel_options)
        problems += errors
        if spec is not None:
            channels[name] = spec
    page = merged.texts["page"][0].rstrip("/") if "page" in merged.texts else None
    section_type = monitor_section(tuple(engine_options.items()))
    for name, tree in merged.monitors.items():
        monitor, errors, notes = build_monitor(tree, name, environ, folder, section_type, merged.channels, page)
        problems += errors
        warnings += notes
        if monitor is not None:
            monitors[name] = monitor
    if not merged.monitors and not problems:
        message = "no monitor is defined; add one under monitors, or create a first one with `drift init DATA`"
        problems.append(Problem(str(path), None, ("monitors",), message, code="no-monitor"))
    raise_problems(p for p in problems if strict or p.monitor is None)
    broken = {
        name: format_problems(p for p in problems if p.monitor == name)
        for name in (p.monitor for p in problems)
        if name is not None
    }
    return Config(
        store=absolute_url(merged.texts["store"][0] if "store" in merged.texts else _DEFAULT_STORE, folder),
        monitors={name: monitor for name, monitor in monitors.items() if name not in broken},
        channels=channels,
        folder=folder,
        warnings=tuple(str(w) for w in ordered(warnings) if w.monitor not in broken),
        broken=broken,
    )


def _files(path: Path) -> tuple[list[Path], Path]:
    """Return the files to read, and the folder that relative paths start from."""
    shown, remedy = str(path), "or create a first one with `drift init DATA`"
    files: list[Path] = []
    try:
        if not path.is_dir():
            if path.exists():
                return [path], path.parent.absolute()
            message = f"no such file; name another with --config, {remedy}"
            raise_problems([Problem(shown, None, (), message, code="config-not-found")])
        files = [f for f in path.iterdir() if f.suffix in {".yaml", ".yml"} and not f.name.startswith(".")]
        files = sorted(file for file in files if not file.is_dir())
    except OSError as error:
        message = f"cannot be read ({error.strerror}); check the path and its permissions"
        raise_problems([Problem(shown, None, (), message, code="config-unreadable")])
    if not files:
        message = f"the folder has no *.yaml or *.yml file; add one, {remedy}"
        raise_problems([Problem(shown, None, (), message, code="config-not-found")])
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
        for key in _TEXT_KEYS:
            if isinstance(tree.value.get(key), str):
                if key in merged.texts:
                    problems.append(_duplicate(tree, (key,), merged.texts[key][1]))
                merged.texts[key] = (fill(tree, (key,), environ, []), tree)
        for kind, known in (("monitors", merged.monitors), ("channels", merged.channels)):
            section = tree.value.get(kind)
            for name in section if isinstance(section, dict) else ():
                if name in known:
                    problems.append(_duplicate(tree, (kind, name), known[name]))
                else:
                    known[name] = tree
    return merged


def _top(tree: YamlTree, environ: Mapping[str, str], problems: list[Problem]) -> Any:
    """Return the top of a document with its own variables filled in, but not those of monitors and channels."""
    if not isinstance(tree.value, dict):
        return tree.value
    return tree.value | {key: fill(tree, (key,), environ, problems) for key in _TEXT_KEYS if key in tree.value}


def _duplicate(tree: YamlTree, path: tuple[str, ...], first: YamlTree) -> Problem:
    place = f"{first.file}:{first.lines[path]}"
    message = f"defined twice; first in {place}: rename one of them, or delete it"
    return tree.problem(path, message, code="duplicate-key")
