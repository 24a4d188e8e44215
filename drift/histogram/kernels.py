"""The passes over a column's values, in blocks that fit the cache: counts, the ends, a few rows, all of them.

NumPy lets go of the interpreter's lock within each of the calls below, so columns run beside each other in threads.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Masked = tuple[Array, npt.NDArray[np.bool_] | None]
BLOCK_SIZE: Final = 16_384
_LONG: Final = 2**18
"""Places whose bits of a validity bitmap are unpacked at once."""
_SCRATCH: Final = 2**18
"""Bytes of one comparison's answers: with the counters beside them and the block, half of a second-level cache."""
MANY_LIMITS: Final = 64
"""From this many limits on, sorting each block costs less than comparing it with each (benchmarks/kernel.py)."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some of a column's values where they lie, without a copy.

    Parameters
    ----------
    data : ndarray, shape (n,)
        Integers, floats, or Python integers (dtype object); anything where a value is missing. NaN is missing.
    valid : ndarray of uint8, or None
        Arrow's validity bitmap: bit `offset + i`, from the lowest, is set where value i is there. None: all are.
    offset : int
        In bits.
    """

    data: Array
    valid: npt.NDArray[np.uint8] | None = None
    offset: int = 0

    @property
    def nulls(self) -> int:
        """How many values the bitmap says are missing."""
        if self.valid is None:
            return 0
        return sum(len(there) - int(np.count_nonzero(there)) for _, there in self._masked(self.valid, _LONG))

    def blocks(self, size: int = BLOCK_SIZE) -> Iterator[Array]:
        """The values in order, without those that the bitmap says are missing; few at a time."""
        if self.valid is None:
            yield from _pieces(self.data, size)
        else:
            yield from (np.compress(there, block) for block, there in self._masked(self.valid, size))

    def masked(self, size: int) -> Iterator[Masked]:
        """All the places in order, and which of them hold a value; None: all do."""
        if self.valid is None:
            yield from ((block, None) for block in _pieces(self.data, size))
        else:
            for long, there in self._masked(self.valid, max(size, _LONG)):
                yield from zip(_pieces(long, size), _pieces(there, size), strict=True)

    def at(self, rows: npt.NDArray[np.int64]) -> Array:
        """The values of some rows, without those that the bitmap says are missing."""
        found: Array = self.data[rows]
        if self.valid is None:
            return found
        bits = rows + self.offset
        there = self.valid[bits >> 3] >> (bits & 7).astype(np.uint8) & 1
        return np.compress(there.view(np.bool_), found)

    def _masked(self, bitmap: npt.NDArray[np.uint8], size: int) -> Iterator[tuple[Array, npt.NDArray[np.bool_]]]:
        """All the places in order, and which of them hold a value."""
        for start in range(0, len(self.data), size):
            stop = min(start + size, len(self.data))
            first, last = self.offset + start, self.offset + stop
            bits = np.unpackbits(bitmap[first >> 3 : (last + 7) >> 3], bitorder="little")
            yield self.data[start:stop], bits[first & 7 :][: stop - start].view(np.bool_)


def _pieces(array: Array, size: int) -> Iterator[Array]:
    return (array[start : start + size] for start in range(0, len(array), size))


def at_least(chunks: Iterable[Chunk], limits: Array) -> npt.NDArray[np.int64]:
    """How many values are >= each limit.

    Parameters
    ----------
    chunks : iterable of Chunk
        All of the limits' dtype.
    limits : ndarray, shape (k,)
        Increasing.

    Returns
    -------
    ndarray of int64, shape (k,)
    """
    chunks = list(chunks)
    longest = max((len(chunk.data) for chunk in chunks), default=0)
    if longest == 0 or len(limits) == 0:
        return np.zeros(len(limits), np.int64)
    with np.errstate(invalid="ignore"):  # signalling NaN is missing like any other
        if len(limits) > MANY_LIMITS:
            return _by_sorting((block for chunk in chunks for block in chunk.blocks()), limits)
        size = max(1024, min(BLOCK_SIZE, _SCRATCH // len(limits), longest))
        blocks = (masked for chunk in chunks for masked in chunk.masked(size))
        comparable = _quickest(limits)
        if comparable.dtype.kind == "f":
            return _by_comparing(np.greater_equal, blocks, comparable, size)
        # Processors compare integers by < alone: >= costs half as much again. No integer is neither.
        return sum(len(chunk.data) - chunk.nulls for chunk in chunks) - _by_comparing(np.less, blocks, limits, size)


def _quickest(limits: Array) -> Array:
    """The limits as the narrowest type that a whole column may be compared in.

    Processors compare floats quicker than integers (singles at twice the speed of int64). Limits below 2**24, or 2**53,
    are exact as floats, as are all integers that are no larger; those beyond are rounded, but never past a limit: to
    round keeps the order. So x >= limit holds for the rounded x exactly where it holds for x.
    """
    if limits.dtype.kind in "iu":
        largest = max(abs(int(limits[0])), abs(int(limits[-1])))
        if limits.itemsize >= 4 and largest < 2**24:
            return limits.astype(np.float32)
        if limits.itemsize == 8 and largest < 2**53:
            return limits.astype(np.float64)
    return limits


def _by_comparing(compare: np.ufunc, blocks: Iterable[Masked], limits: Array, size: int) -> npt.NDArray[np.int64]:
    """One comparison of a block with all limits, one addition of the answers to counters of 8 bits for each place.

    Two long calls a block, rather than two short ones a limit, leave the interpreter's lock to other threads.
    """
    column = limits[:, np.newaxis]
    converted = np.empty(size, limits.dtype)
    answers = np.empty((len(limits), size), np.bool_)
    counters = np.zeros((len(limits), size), np.uint8)
    whole = (answers, answers.view(np.uint8), counters)
    total = np.zeros(len(limits), np.int64)
    for i, (block, there) in enumerate(blocks, 1):
        n = len(block)
        true, as_numbers, counted = whole if n == size else (array[:, :n] for array in whole)
        held = block
        if block.dtype != limits.dtype:
            held = converted[:n]
            np.copyto(held, block, casting="same_kind")
        compare(held, column, out=true)
        if there is not None:
            np.logical_and(true, there, out=true)
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
        present = (
            int(np.searchsorted(ordered, ordered.dtype.type(np.nan))) if ordered.dtype.kind == "f" else len(ordered)
        )
        total += np.maximum(present - np.searchsorted(ordered, limits), 0)
    return total


def ends(chunks: Iterable[Chunk]) -> tuple[Any, Any] | None:
    """The smallest and the largest finite value, as plain Python numbers; None where there is none."""
    low = high = None
    with np.errstate(invalid="ignore"):
        for chunk in chunks:
            for block in chunk.blocks(4 * BLOCK_SIZE):
                if (found := _ends_of(block)) is not None:
                    low = found[0] if low is None or found[0] < low else low
                    high = found[1] if high is None or found[1] > high else high
    return None if low is None else (low, high)


def _ends_of(block: Array) -> tuple[Any, Any] | None:
    if len(block) == 0:
        return None
    if block.dtype.kind != "f":
        return _plain(block.min()), _plain(block.max())
    low, high = float(np.fmin.reduce(block)), float(np.fmax.reduce(block))  # NaN only where there is nothing else
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    finite = np.compress(np.isfinite(block), block)
    return (float(finite.min()), float(finite.max())) if len(finite) else None


def gather(chunks: Iterable[Chunk], rows: npt.NDArray[np.int64] | None) -> list[Array]:
    """The values of some rows (in increasing order), or of all, by chunk; without missing ones, NaN excepted."""
    found, start = [], 0
    for chunk in chunks:
        stop = start + len(chunk.data)
        if rows is not None:
            first, last = np.searchsorted(rows, (start, stop))
            found.append(chunk.at(rows[first:last] - start))
        else:
            found.extend(chunk.blocks(max(1, len(chunk.data))))
        start = stop
    return found


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
