"""Frouros: JS distance of numbers without nulls; it has none for strings, which get its chi-square test."""

from frouros.detectors.data_drift import JS, ChiSquareTest

MEASURE = "JS distance (numbers, 10 bins), chi-square (strings)"


def score(reference, live):
    """One detector a column, as the documentation has it."""
    found = {}
    for name in reference.columns:
        if reference[name].dtype.kind == "f":
            detector = JS()
            detector.fit(X=reference[name].dropna().to_numpy())
            found[name] = detector.compare(X=live[name].dropna().to_numpy())[0].distance
        else:
            detector = ChiSquareTest()
            detector.fit(X=reference[name].to_numpy())
            found[name] = detector.compare(X=live[name].to_numpy())[0].statistic
    return found
