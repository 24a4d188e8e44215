"""Where files are: a path, a glob, a folder, or a URL of an object store."""

import fnmatch
import glob
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs as pafs

from drift.errors import SourceError

NO_VALUE: Final = "__HIVE_DEFAULT_PARTITION__"
_WILD: Final = re.compile(r"[*?\[]")
_SCHEME: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_QUERY: Final = re.compile(r"\?[A-Za-z_]+=.*$")


@dataclass(frozen=True, slots=True)
class File:
    """One file, as it was when it was found.

    Parameters
    ----------
    name : str
        What it is called: a path, or a URL without its secrets.
    suffix : str
        Lower case, with its dot; it tells the format.
    system, path : pyarrow.fs.FileSystem, str
        Where it is.
    size : int
        Bytes.
    modified : int
        Nanoseconds since 1970; 0 where the store does not tell.
    partitions : mapping of str to str or None
        Columns that the names of its folders tell (``country=DE``), for every row of it.
    """

    name: str
    suffix: str
    system: Any = field(repr=False, compare=False)
    path: str = field(repr=False)
    size: int
    modified: int
    partitions: Mapping[str, str | None] = field(default_factory=dict)

    def open(self) -> Any:
        """The file, opened for reading anywhere in it."""
        return self.system.open_input_file(self.path)

    def unchanged(self) -> bool:
        """Whether it is still as it was found."""
        info = self.system.get_file_info(self.path)
        return (info.size, info.mtime_ns or 0) == (self.size, self.modified)


def locate(pattern: str, known: Collection[str]) -> list[File]:
    """The files that a path, glob, folder or URL names, sorted by name.

    Below a folder, and below the first wildcard of a glob, folders named ``key=value`` are columns. Of a folder, files
    and folders whose names begin with ``.`` or ``_`` are left out: so writers mark what is not data.

    Raises
    ------
    SourceError
        Where there are none, the store does not answer, or one is of an unknown format.
    """
    found = _at_url(pattern) if _SCHEME.match(pattern) else _on_disk(pattern)
    for file in found:
        if file.suffix not in known:
            raise SourceError(f"{file.name}: unknown format {file.suffix!r}; known are {', '.join(known)}")
    return sorted(found, key=lambda file: PurePosixPath(file.name).parts)


def _on_disk(pattern: str) -> list[File]:
    system = pafs.LocalFileSystem()
    paths = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute patterns
    root = _fixed(pattern)
    if not paths and Path(pattern).exists():  # a name that only looks like a glob
        paths, root = [str(Path(pattern))], pattern
    found: dict[str, File] = {}
    for path in paths:
        held = _in_folder(system, path, root if root != pattern else path, "") if Path(path).is_dir() else None
        if held == [] and root == pattern:
            raise _bare_folder(path)
        for file in held if held is not None else [_file(system, _info(system, path), root, "")]:
            found.setdefault(file.name, file)
    if not found:
        raise SourceError(f"no file matches {pattern!r}; check the path (relative ones start from {Path.cwd()})")
    return list(found.values())


def _at_url(url: str) -> list[File]:
    told = without_secrets(url)
    query = _QUERY.search(url)
    bare = url[: query.start()] if query else url
    base = _fixed(bare)
    wild = bare[len(base) :].lstrip("/")
    try:
        system, path = pafs.FileSystem.from_uri(base + (query.group() if query else ""))
        scheme = "" if system.type_name == "local" else f"{bare.partition('://')[0]}://"
        if wild:
            found = _matching(system, path, wild, scheme)
        else:
            info = system.get_file_info(path)
            folder = info.type == pafs.FileType.Directory
            if info.type == pafs.FileType.NotFound:
                found = []
            else:
                found = _in_folder(system, path, path, scheme) if folder else [_file(system, info, path, scheme)]
                if not found:
                    raise _bare_folder(told)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"cannot open {told}: {without_secrets(str(error).strip())}") from error
    if not found:
        raise SourceError(f"no file matches {told!r}; check the bucket, the path and the rights to list it")
    return found


def _matching(system: Any, folder: str, wild: str, scheme: str) -> list[File]:
    """What a glob finds below a folder; `**` stands for any number of folders."""
    selector = pafs.FileSelector(folder, allow_not_found=True, recursive="/" in wild or "**" in wild)
    found: dict[str, File] = {}
    for info in system.get_file_info(selector):
        if not _matches(_below(info.path, folder).split("/"), wild.split("/")):
            continue
        folders = info.type == pafs.FileType.Directory
        for file in _in_folder(system, info.path, folder, scheme) if folders else [_file(system, info, folder, scheme)]:
            found.setdefault(file.name, file)
    return list(found.values())


def _matches(parts: Sequence[str], wild: Sequence[str]) -> bool:
    """Part by part, as the shell does: ``**`` takes any number of folders, and no wildcard a leading dot."""
    if not wild:
        return not parts
    if wild[0] == "**" and _matches(parts, wild[1:]):
        return True
    if not parts or (parts[0].startswith(".") and not wild[0].startswith(".")):
        return False
    if wild[0] == "**":
        return _matches(parts[1:], wild)
    return fnmatch.fnmatchcase(parts[0], wild[0]) and _matches(parts[1:], wild[1:])


def _in_folder(system: Any, folder: str, root: str, scheme: str) -> list[File]:
    infos = system.get_file_info(pafs.FileSelector(folder, recursive=True))
    return [
        _file(system, info, root, scheme)
        for info in infos
        if info.type == pafs.FileType.File
        and not any(part.startswith((".", "_")) for part in _below(info.path, folder).split("/"))
    ]


def _bare_folder(name: str) -> SourceError:
    return SourceError(f"{name} is a folder; name its files, such as {name}/*.parquet: it holds none to read")


def _info(system: Any, path: str) -> Any:
    info = system.get_file_info(path)
    if info.type == pafs.FileType.NotFound:
        raise SourceError(f"{path} is gone, or a link to nothing; it was there a moment ago")
    return info


def _file(system: Any, info: Any, root: str, scheme: str) -> File:
    name = scheme + info.path if scheme else str(Path(info.path))
    folders = dict(_partitions(_below(info.path, root)))
    suffix = PurePosixPath(info.path).suffix.lower()
    return File(name, suffix, system, info.path, info.size or 0, info.mtime_ns or 0, folders)


def _partitions(path: str) -> Iterator[tuple[str, str | None]]:
    for folder in path.split("/")[:-1]:
        key, equals, value = folder.partition("=")
        if equals and key:
            yield unquote(key), None if value == NO_VALUE else unquote(value)


def _below(path: str, root: str) -> str:
    """A path as seen from a folder above it; nothing of it where `root` is the file itself."""
    path, root = path.replace(os.sep, "/"), root.replace(os.sep, "/").rstrip("/")
    return path.removeprefix(root).lstrip("/") if path != root else ""


def _fixed(pattern: str) -> str:
    """What stands before the first part with a wildcard; all of it where there is none."""
    wild = _WILD.search(pattern)
    return pattern if wild is None else pattern[: wild.start()].rpartition("/")[0]


def without_secrets(text: str) -> str:
    """A URL may hold a key: ``s3://key:secret@bucket``, ``?sas_token=...``."""
    return _QUERY.sub("", re.sub(r"://[^/@\s]*@", "://", text))
