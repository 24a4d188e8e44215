"""The data of the benchmarks: ``python benchmarks/data.py --rows 1M`` writes a reference and a live file.

15 float64 columns (five normal, five lognormal, five normal with nulls) and 5 string columns of 5 to 1,000
categories, as Parquet. Two numeric columns and one of strings have shifted in the live file. Rows are drawn in
blocks, each from a seed of its own: memory use is constant, and a file of the same name always has the same rows.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER: Final = Path(__file__).resolve().parent.parent / "build" / "benchmark-data"
SEED: Final = 20_111_011
BLOCK: Final = 250_000
CATEGORIES: Final = (5, 20, 50, 200, 1_000)
NULLS: Final = 0.05
SIDES: Final = ("reference", "live")


def files(rows: int, numeric: int = 15, text: int = 5, folder: Path = FOLDER) -> tuple[Path, Path]:
    """Return the paths of the reference and the live file; write the files that do not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / f"{side}-{rows}x{numeric}+{text}.parquet" for side in SIDES)
    for side, path in enumerate(paths):
        if not path.exists():
            part = path.with_suffix(".part")
            write(part, rows, numeric, text, side)
            part.rename(path)
    return paths[0], paths[1]


def write(path: Path, rows: int, numeric: int, text: int, side: int) -> None:
    """Write one file block by block; `side` 0 is the reference, 1 the live one."""
    with pq.ParquetWriter(path, schema(numeric, text)) as writer:
        for block in blocks(rows, numeric, text, side):
            writer.write_table(block)


def blocks(rows: int, numeric: int, text: int, side: int) -> Iterator[pa.Table]:
    """Yield the rows of one side, at most `BLOCK` at a time."""
    for number, start in enumerate(range(0, rows, BLOCK)):
        rng = np.random.default_rng([SEED, side, number])
        size = min(BLOCK, rows - start)
        numbers = [_numbers(rng, index, size, side) for index in range(numeric)]
        words = [_words(rng, index, size, side) for index in range(text)]
        yield pa.Table.from_arrays(numbers + words, schema=schema(numeric, text))


def schema(numeric: int, text: int) -> pa.Schema:
    """Return the columns, named after their contents: normal_0, lognormal_1, nulls_2, words_0, ..."""
    kinds = ("normal", "lognormal", "nulls")
    numbers = [pa.field(f"{kinds[index % 3]}_{index}", pa.float64()) for index in range(numeric)]
    words = [pa.field(f"words_{index}", pa.string()) for index in range(text)]
    return pa.schema(numbers + words)


def _numbers(rng: np.random.Generator, index: int, size: int, side: int) -> pa.Array:
    shift = 0.3 if side == 1 and index in {0, 1} else 0.0
    values = rng.normal(shift + index % 7, 1 + index % 3, size)
    if index % 3 == 1:
        values = np.exp(rng.normal(shift, 1.0, size))
    mask = rng.random(size) < NULLS if index % 3 == 2 else None
    return pa.array(values, mask=mask)


def _words(rng: np.random.Generator, index: int, size: int, side: int) -> pa.Array:
    """Return categories with frequencies of 1, 1/2, 1/3, ...; slightly steeper if the column has shifted."""
    count = CATEGORIES[index % len(CATEGORIES)]
    weights = np.arange(1, count + 1) ** (-1.2 if side == 1 and index == 0 else -1.0)
    codes = rng.choice(count, size, p=weights / weights.sum()).astype(np.int32)
    names = pa.array([f"category {index}-{code:04d}" for code in range(count)])
    return pa.DictionaryArray.from_arrays(codes, names).cast(pa.string())


def number(text: str) -> int:
    """Parse a number such as 100k, 1M or 2500."""
    unit = {"k": 1_000, "M": 1_000_000}.get(text[-1:], 1)
    return int(text if unit == 1 else text[:-1]) * unit


def main() -> None:
    """Write the files and print their paths."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=number, default=1_000_000)
    parser.add_argument("--numeric", type=int, default=15)
    parser.add_argument("--text", type=int, default=5)
    options = parser.parse_args()
    for path in files(options.rows, options.numeric, options.text):
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
