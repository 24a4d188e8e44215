"""A lower limit: NumPy only sums the numeric columns of both sides."""

MEASURE = "NumPy sums the numeric columns of both sides; strings untouched"


def score(reference, live):
    """Return the sums; NaN if a column has nulls, because only the time matters."""
    numbers = reference.select_dtypes("number").columns
    return {
        f"{side}": float(sum(frame[n].to_numpy().sum() for n in numbers))
        for side, frame in enumerate((reference, live))
    }
