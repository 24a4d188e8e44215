"""Keys of a Spark source in the configuration, apart from the engine: every command that loads one imports them."""

from pathlib import Path
from typing import Self

from pydantic import model_validator

from drift.config import SourceOptions
from drift.config.sections import Text
from drift.errors import InputError
from drift.monitors.spec import SparkSource


class SparkOptions(SourceOptions):
    """A table or query in Spark."""

    remote: Text | None = None
    table: Text | None = None
    query: Text | None = None

    @model_validator(mode="after")
    def _check_one_kind(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise InputError("give either table (such as db.features) or query (a SELECT)", code="conflicting-keys")
        return self

    def spec(self, folder: Path) -> SparkSource:  # noqa: ARG002 - no key is a path
        return SparkSource(self.table, self.query, self.remote)
