"""Columns of Python objects. Cells that are the same object hold the same value, so each object is looked at once."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_FEW: Final = 1_000
"""Cells that are not worth the trouble; and how many tell whether objects are shared at all."""
_MOST: Final = 2**16
"""Distinct objects, beyond which listing them as names costs more than it saves."""
_BLOCK: Final = 4_096

Addresses = npt.NDArray[np.int64]


def array_of(cells: npt.NDArray[np.object_]) -> Any:
    """What ``pa.array(cells, from_pandas=True)`` holds; texts that are shared objects come as a dictionary of them.

    Parameters
    ----------
    cells : ndarray of object, shape (n,)
        None, NaN, NaT and pandas.NA are missing.

    Returns
    -------
    pyarrow.Array or pyarrow.ChunkedArray
        A dictionary may name a text more than once, and hold a null.

    Raises
    ------
    pyarrow.ArrowException, TypeError, ValueError, OverflowError
        As `pyarrow.array`, for cells that have no type in common.

    Notes
    -----
    Readers make one object of equal texts (pandas for each category of a CSV or Parquet file), and Arrow takes 20 ns
    to look at each cell. An array of objects is an array of their addresses (in CPython, which PyArrow requires):
    finding the distinct ones takes 3 ns a cell (benchmarks/in_memory.py --strings shared).
    """
    held = np.ascontiguousarray(cells)
    if len(held) < _FEW or _mostly_distinct(addresses := np.frombuffer(held, np.int64)):
        return pa.array(held, from_pandas=True)
    found = pa.Array.from_buffers(pa.int64(), len(held), [None, pa.py_buffer(addresses)]).dictionary_encode()
    if len(found.dictionary) > min(_MOST, len(held) // 4) or (first := _first_of_each(found, addresses)) is None:
        return pa.array(held, from_pandas=True)
    # In the order in which they appear: what type they have in common may depend on it, as does the error.
    values = pa.array(held[first], from_pandas=True)
    if not pa.types.is_string(values.type):
        return values.take(found.indices)
    return pa.DictionaryArray.from_arrays(found.indices, values)


def _mostly_distinct(addresses: Addresses) -> bool:
    some = addresses[:: len(addresses) // _FEW]
    return len(np.unique(some)) > len(some) // 2


def _first_of_each(found: Any, addresses: Addresses) -> npt.NDArray[np.int64] | None:
    """Where each code is first seen; None where they are not numbered as they appear, as Arrow does, unpromised.

    A new code is then above all before it: only blocks in which the highest code rises are looked through.
    """
    codes, distinct = _numpy(found.indices, np.int32), _numpy(found.dictionary, np.int64)
    starts = np.arange(0, len(codes), _BLOCK)
    highest = np.maximum.accumulate(np.maximum.reduceat(codes, starts))
    first = np.zeros(len(distinct), np.int64)
    known = 0
    for block in np.flatnonzero(np.diff(highest, prepend=-1)):
        new = np.arange(known, known := int(highest[block]) + 1)
        above = np.maximum.accumulate(codes[starts[block] : starts[block] + _BLOCK])
        first[new] = starts[block] + np.searchsorted(above, new)
    return first if np.array_equal(addresses[first], distinct) else None


def _numpy(array: Any, held: type[Any]) -> npt.NDArray[Any]:
    return np.frombuffer(array.buffers()[1], held, len(array), array.offset * np.dtype(held).itemsize)
