"""Passes over a column's values in blocks that fit the cache: counts, extremes, and values of some or all rows.

NumPy releases the interpreter's lock within each call below, so threads process columns in parallel.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Masked = tuple[Array, npt.NDArray[np.bool_] | None]
BLOCK_SIZE: Final = 16_384
_UNPACKED: Final = 2**18
"""Bits of a validity bitmap that are unpacked at once."""
_SCRATCH: Final = 2**18
"""Bytes of the results of one comparison: with the counters and the block, half of a second-level cache."""
MANY_LIMITS: Final = 64
"""With more limits, sorting a block is faster than comparing it with each limit (benchmarks/kernel.py)."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Part of a column's values, not copied: integers, floats, or Python integers (dtype object), shape (n,).

    `valid` is Arrow's validity bitmap: bit `offset + i`, from the lowest, is set if value i is present; None: all are.
    Missing values may have any content. NaN is missing.
    """

    data: Array
    valid: npt.NDArray[np.uint8] | None = None
    offset: int = 0

    @property
    def nulls(self) -> int:
        """Number of values that are missing by the bitmap."""
        if self.valid is None:
            return 0
        return sum(len(present) - int(np.count_nonzero(present)) for _, present in self._masked(self.valid, _UNPACKED))

    def blocks(self, size: int = BLOCK_SIZE) -> Iterator[Array]:
        """Yield the values that the bitmap does not exclude, in order, in blocks."""
        if self.valid is None:
            yield from _pieces(self.data, size)
        else:
            yield from (np.compress(present, block) for block, present in self._masked(self.valid, size))

    def masked(self, size: int) -> Iterator[Masked]:
        """Yield blocks of all values, with the mask of those present; None: all are."""
        if self.valid is None:
            yield from ((block, None) for block in _pieces(self.data, size))
        else:
            for values, present in self._masked(self.valid, max(size, _UNPACKED)):
                yield from zip(_pieces(values, size), _pieces(present, size), strict=True)

    def at(self, rows: npt.NDArray[np.int64]) -> Array:
        """Return the values of some rows that the bitmap does not exclude."""
        values: Array = self.data[rows]
        if self.valid is None:
            return values
        bits = rows + self.offset
        present = self.valid[bits >> 3] >> (bits & 7).astype(np.uint8) & 1
        return np.compress(present.view(np.bool_), values)

    def _masked(self, bitmap: npt.NDArray[np.uint8], size: int) -> Iterator[tuple[Array, npt.NDArray[np.bool_]]]:
        for start in range(0, len(self.data), size):
            stop = min(start + size, len(self.data))
            first, last = self.offset + start, self.offset + stop
            bits = np.unpackbits(bitmap[first >> 3 : (last + 7) >> 3], bitorder="little")
            yield self.data[start:stop], bits[first & 7 :][: stop - start].view(np.bool_)


def _pieces(array: Array, size: int) -> Iterator[Array]:
    return (array[start : start + size] for start in range(0, len(array), size))


def count_at_least(chunks: Iterable[Chunk], limits: Array) -> npt.NDArray[np.int64]:
    """Count the values that are >= each limit; limits are increasing, and of the dtype of the chunks; shape (k,)."""
    chunks = list(chunks)
    longest = max((len(chunk.data) for chunk in chunks), default=0)
    if longest == 0 or len(limits) == 0:
        return np.zeros(len(limits), np.int64)
    with np.errstate(invalid="ignore"):  # a signalling NaN is missing like any NaN
        if len(limits) > MANY_LIMITS:
            return _by_sorting((block for chunk in chunks for block in chunk.blocks()), limits)
        size = max(1024, min(BLOCK_SIZE, _SCRATCH // len(limits), longest))
        blocks = (masked for chunk in chunks for masked in chunk.masked(size))
        fast = _fastest_type(limits)
        if fast.dtype.kind == "f":
            return _by_comparing(np.greater_equal, blocks, fast, size)
        # Processors compare integers by < only; >= costs 50 % more. The one is the complement of the other.
        return sum(len(chunk.data) - chunk.nulls for chunk in chunks) - _by_comparing(np.less, blocks, limits, size)


def _fastest_type(limits: Array) -> Array:
    """Convert limits to the fastest type in which a whole column can be compared.

    Processors compare floats faster than integers (singles at twice the speed of int64). Limits below 2**24, or 2**53,
    are exact as floats, and so are all integers up to them. Larger integers are rounded, but never past a limit,
    because rounding preserves the order. So x >= limit holds for the rounded x if and only if it holds for x.
    """
    if limits.dtype.kind in "iu":
        largest = max(abs(int(limits[0])), abs(int(limits[-1])))
        if limits.itemsize >= 4 and largest < 2**24:
            return limits.astype(np.float32)
        if limits.itemsize == 8 and largest < 2**53:
            return limits.astype(np.float64)
    return limits


def _by_comparing(compare: np.ufunc, blocks: Iterable[Masked], limits: Array, size: int) -> npt.NDArray[np.int64]:
    """Compare a block with all limits at once, and add the results to counters of 8 bits for each position.

    Two long calls a block, rather than two short ones a limit, leave the interpreter's lock to other threads.
    """
    column = limits[:, np.newaxis]
    converted = np.empty(size, limits.dtype)
    results = np.empty((len(limits), size), np.bool_)
    counters = np.zeros((len(limits), size), np.uint8)
    buffers = (results, results.view(np.uint8), counters)
    total = np.zeros(len(limits), np.int64)
    for i, (block, present) in enumerate(blocks, 1):
        n = len(block)
        is_true, as_numbers, counted = buffers if n == size else (array[:, :n] for array in buffers)
        values = block
        if block.dtype != limits.dtype:
            values = converted[:n]
            np.copyto(values, block, casting="same_kind")
        compare(values, column, out=is_true)
        if present is not None:
            np.logical_and(is_true, present, out=is_true)
        np.add(counted, as_numbers, out=counted)
        if i % 255 == 0:  # before a counter overflows
            total += counters.sum(axis=1, dtype=np.uint32)
            counters.fill(0)
    total += counters.sum(axis=1, dtype=np.uint32)
    return total


def _by_sorting(blocks: Iterable[Array], limits: Array) -> npt.NDArray[np.int64]:
    total = np.zeros(len(limits), np.int64)
    for block in blocks:
        ordered = np.sort(block)  # NaN last
        is_float = ordered.dtype.kind == "f"
        present = int(np.searchsorted(ordered, ordered.dtype.type(np.nan))) if is_float else len(ordered)
        total += np.maximum(present - np.searchsorted(ordered, limits), 0)
    return total


def extremes(chunks: Iterable[Chunk]) -> tuple[Any, Any] | None:
    """Return the smallest and the largest finite value, as plain Python numbers; None if there is none."""
    low = high = None
    with np.errstate(invalid="ignore"):
        for chunk in chunks:
            for block in chunk.blocks(4 * BLOCK_SIZE):
                if (pair := _extremes_of(block)) is not None:
                    low = pair[0] if low is None or pair[0] < low else low
                    high = pair[1] if high is None or pair[1] > high else high
    return None if low is None else (low, high)


def _extremes_of(block: Array) -> tuple[Any, Any] | None:
    if len(block) == 0:
        return None
    if block.dtype.kind != "f":
        return _plain(block.min()), _plain(block.max())
    low, high = float(np.fmin.reduce(block)), float(np.fmax.reduce(block))  # NaN only if all are NaN
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    finite = np.compress(np.isfinite(block), block)
    return (float(finite.min()), float(finite.max())) if len(finite) else None


def gather(chunks: Iterable[Chunk], rows: npt.NDArray[np.int64] | None) -> list[Array]:
    """Return the values of some rows (in increasing order), or of all, by chunk; of missing ones, only NaN."""
    parts, start = [], 0
    for chunk in chunks:
        stop = start + len(chunk.data)
        if rows is not None:
            first, last = np.searchsorted(rows, (start, stop))
            parts.append(chunk.at(rows[first:last] - start))
        else:
            parts.extend(chunk.blocks(max(1, len(chunk.data))))
        start = stop
    return parts


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
