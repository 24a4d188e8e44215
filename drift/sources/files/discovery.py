"""Discovery of files: by path, glob, folder, or URL of an object store."""

import fnmatch
import glob
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs as pafs

from drift.errors import SourceError

HIVE_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
_WILDCARD: Final = re.compile(r"[*?\[]")
_SCHEME: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_QUERY: Final = re.compile(r"\?[A-Za-z_]+=.*$")


@dataclass(frozen=True, slots=True)
class File:
    """One file, as it was when it was discovered.

    `partitions` are columns given by the names of its folders (``country=DE``), the same for every row.
    """

    name: str  # the path, or the URL without secrets
    suffix: str  # lower case, with the dot; it determines the format
    system: Any = field(repr=False, compare=False)  # a pyarrow.fs.FileSystem
    path: str = field(repr=False)
    size: int  # bytes
    modified: int  # nanoseconds since 1970; 0 if the store does not report it
    partitions: Mapping[str, str | None] = field(default_factory=dict)

    def open(self) -> Any:
        return self.system.open_input_file(self.path)

    def unchanged(self) -> bool:
        """Return whether the file still has the size and time of its discovery."""
        info = self.system.get_file_info(self.path)
        return (info.size, info.mtime_ns or 0) == (self.size, self.modified)


def find_files(pattern: str, known_suffixes: Collection[str]) -> list[File]:
    """Return the files of a path, glob, folder or URL, sorted by name.

    Below a folder, and below the first wildcard of a glob, folders named ``key=value`` are columns. In a folder, files
    and folders whose names begin with ``.`` or ``_`` are ignored, because writers mark with them what is not data.

    Raises
    ------
    SourceError
        If there are no files, the store does not respond, or a file has an unknown format.
    """
    files = _find_at_url(pattern) if _SCHEME.match(pattern) else _find_on_disk(pattern)
    for file in files:
        if file.suffix not in known_suffixes:
            known = ", ".join(known_suffixes)
            raise SourceError(f"{file.name}: unknown format {file.suffix!r}; use one of {known}", code="unknown-format")
    return sorted(files, key=lambda file: PurePosixPath(file.name).parts)


def without_secrets(text: str) -> str:
    """Remove keys from URLs: ``s3://key:secret@bucket``, ``?sas_token=...``."""
    return _QUERY.sub("", re.sub(r"://[^/@\s]*@", "://", text))


def _find_on_disk(pattern: str) -> list[File]:
    system = pafs.LocalFileSystem()
    paths = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute patterns
    root = _before_wildcard(pattern)
    if not paths and Path(pattern).exists():  # a name with the characters of a glob
        paths, root = [str(Path(pattern))], pattern
    files: list[File] = []
    for path in paths:
        if not Path(path).is_dir():
            files.append(_file(system, _existing_info(system, path), root, ""))
            continue
        below = _find_in_folder(system, path, root if root != pattern else path, "")
        if not below and root == pattern:
            raise _empty_folder(path)
        files += below
    if not files:
        path = f"{pattern!r}; check the path (relative paths start from {Path.cwd()})"
        raise SourceError(f"no file matches {path}", code="source-not-found")
    return _unique(files)


def _find_at_url(url: str) -> list[File]:
    shown = without_secrets(url)
    query = _QUERY.search(url)
    bare = url[: query.start()] if query else url
    base = _before_wildcard(bare)
    wildcards = bare[len(base) :].lstrip("/")
    try:
        system, path = pafs.FileSystem.from_uri(base + (query.group() if query else ""))
        scheme = "" if system.type_name == "local" else f"{bare.partition('://')[0]}://"
        if wildcards:
            files = _find_matching(system, path, wildcards, scheme)
        else:
            files = _find_at_path(system, path, scheme, shown)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = without_secrets(str(error).strip())
        raise SourceError(f"cannot open {shown}: {reason}", code="source-unreadable") from error
    if not files:
        message = f"no file matches {shown!r}; check the bucket, the path and the permission to list it"
        raise SourceError(message, code="source-not-found")
    return files


def _find_at_path(system: Any, path: str, scheme: str, shown: str) -> list[File]:
    info = system.get_file_info(path)
    if info.type == pafs.FileType.NotFound:
        return []
    if info.type != pafs.FileType.Directory:
        return [_file(system, info, path, scheme)]
    files = _find_in_folder(system, path, path, scheme)
    if not files:
        raise _empty_folder(shown)
    return files


def _find_matching(system: Any, folder: str, wildcards: str, scheme: str) -> list[File]:
    """Return the files below a folder that match a glob, in which `**` means any number of folders."""
    selector = pafs.FileSelector(folder, allow_not_found=True, recursive="/" in wildcards or "**" in wildcards)
    files: list[File] = []
    for info in system.get_file_info(selector):
        if not _matches(_relative(info.path, folder).split("/"), wildcards.split("/")):
            continue
        if info.type == pafs.FileType.Directory:
            files += _find_in_folder(system, info.path, folder, scheme)
        else:
            files.append(_file(system, info, folder, scheme))
    return _unique(files)


def _matches(parts: Sequence[str], wildcards: Sequence[str]) -> bool:
    """Match part by part, as a shell does: ``**`` matches any number of folders, no wildcard a leading dot."""
    if not wildcards:
        return not parts
    if wildcards[0] == "**" and _matches(parts, wildcards[1:]):
        return True
    if not parts or (parts[0].startswith(".") and not wildcards[0].startswith(".")):
        return False
    if wildcards[0] == "**":
        return _matches(parts[1:], wildcards)
    return fnmatch.fnmatchcase(parts[0], wildcards[0]) and _matches(parts[1:], wildcards[1:])


def _find_in_folder(system: Any, folder: str, root: str, scheme: str) -> list[File]:
    infos = system.get_file_info(pafs.FileSelector(folder, recursive=True))
    return [
        _file(system, info, root, scheme)
        for info in infos
        if info.type == pafs.FileType.File
        and not any(part.startswith((".", "_")) for part in _relative(info.path, folder).split("/"))
    ]


def _unique(files: Iterable[File]) -> list[File]:
    return list({file.name: file for file in files}.values())


def _empty_folder(name: str) -> SourceError:
    message = f"{name} is a folder without readable files; name the files, such as {name}/*.parquet"
    return SourceError(message, code="source-not-found")


def _existing_info(system: Any, path: str) -> Any:
    info = system.get_file_info(path)
    if info.type == pafs.FileType.NotFound:
        message = f"{path} was removed while files were listed, or is a broken link; check it"
        raise SourceError(message, code="source-not-found")
    return info


def _file(system: Any, info: Any, root: str, scheme: str) -> File:
    name = scheme + info.path if scheme else str(Path(info.path))
    partitions = dict(_partitions(_relative(info.path, root)))
    suffix = PurePosixPath(info.path).suffix.lower()
    return File(name, suffix, system, info.path, info.size or 0, info.mtime_ns or 0, partitions)


def _partitions(path: str) -> Iterator[tuple[str, str | None]]:
    for folder in path.split("/")[:-1]:
        key, equals, value = folder.partition("=")
        if equals and key:
            yield unquote(key), None if value == HIVE_NULL else unquote(value)


def _relative(path: str, root: str) -> str:
    """Return a path relative to a folder above it; "" if `root` is the file itself."""
    path, root = path.replace(os.sep, "/"), root.replace(os.sep, "/").rstrip("/")
    return path.removeprefix(root).lstrip("/") if path != root else ""


def _before_wildcard(pattern: str) -> str:
    """Return the folders before the first part with a wildcard; the whole pattern if it has none."""
    wildcard = _WILDCARD.search(pattern)
    return pattern if wildcard is None else pattern[: wildcard.start()].rpartition("/")[0]
