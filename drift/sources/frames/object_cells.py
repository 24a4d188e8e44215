"""Columns of Python objects, of which equal cells are often one shared object: each object is converted once."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_MIN_CELLS: Final = 1_000
"""Fewer cells are converted one by one; also the sample size that shows whether objects are shared."""
_MAX_OBJECTS: Final = 2**16
"""With more distinct objects, a dictionary costs more than it saves."""
_BLOCK: Final = 4_096

Addresses = npt.NDArray[np.int64]


def array_from_objects(cells: npt.NDArray[np.object_]) -> Any:
    """Return the values of ``pa.array(cells, from_pandas=True)``; shared texts are returned as a dictionary.

    None, NaN, NaT and pandas.NA are missing. The dictionary may contain a text more than once, and a null. Raises what
    `pyarrow.array` raises if the cells have no common type.

    Notes
    -----
    Readers create one object for equal texts (pandas for each category of a CSV or Parquet file), and Arrow takes 20 ns
    to convert a cell. An array of objects is an array of their addresses (in CPython, which PyArrow requires): finding
    the distinct ones takes 3 ns a cell (benchmarks/in_memory.py --strings shared).
    """
    cells = np.ascontiguousarray(cells)
    if len(cells) < _MIN_CELLS or _mostly_distinct(addresses := np.frombuffer(cells, np.int64)):
        return pa.array(cells, from_pandas=True)
    encoded = pa.Array.from_buffers(pa.int64(), len(cells), [None, pa.py_buffer(addresses)]).dictionary_encode()
    many = len(encoded.dictionary) > min(_MAX_OBJECTS, len(cells) // 4)
    if many or (first := _first_rows(encoded, addresses)) is None:
        return pa.array(cells, from_pandas=True)
    # In order of appearance, because the common type and the error may depend on it.
    values = pa.array(cells[first], from_pandas=True)
    if not pa.types.is_string(values.type):
        return values.take(encoded.indices)
    return pa.DictionaryArray.from_arrays(encoded.indices, values)


def _mostly_distinct(addresses: Addresses) -> bool:
    sample = addresses[:: len(addresses) // _MIN_CELLS]
    return len(np.unique(sample)) > len(sample) // 2


def _first_rows(encoded: Any, addresses: Addresses) -> npt.NDArray[np.int64] | None:
    """Return the row in which each code first occurs.

    Arrow numbers codes in order of appearance, but does not promise it: None if the codes are numbered otherwise. A new
    code is then greater than all before it, so only blocks in which the highest code rises are searched.
    """
    codes, distinct = _numpy(encoded.indices, np.int32), _numpy(encoded.dictionary, np.int64)
    starts = np.arange(0, len(codes), _BLOCK)
    highest = np.maximum.accumulate(np.maximum.reduceat(codes, starts))
    first = np.zeros(len(distinct), np.int64)
    known = 0
    for block in np.flatnonzero(np.diff(highest, prepend=-1)):
        new = np.arange(known, known := int(highest[block]) + 1)
        running_maximum = np.maximum.accumulate(codes[starts[block] : starts[block] + _BLOCK])
        first[new] = starts[block] + np.searchsorted(running_maximum, new)
    return first if np.array_equal(addresses[first], distinct) else None


def _numpy(array: Any, dtype: type[Any]) -> npt.NDArray[Any]:
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * np.dtype(dtype).itemsize)
