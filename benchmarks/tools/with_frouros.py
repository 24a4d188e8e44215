"""Frouros: JS distance of numbers without nulls; its chi-square test for strings, which have no JS distance."""

from frouros.detectors.data_drift import JS, ChiSquareTest

MEASURE = "JS distance (numbers, 10 bins), chi-square (strings)"


def score(reference, live):
    """Run one detector per column, as in its documentation."""
    scores = {}
    for name in reference.columns:
        if reference[name].dtype.kind == "f":
            detector = JS()
            detector.fit(X=reference[name].dropna().to_numpy())
            scores[name] = detector.compare(X=live[name].dropna().to_numpy())[0].distance
        else:
            detector = ChiSquareTest()
            detector.fit(X=reference[name].to_numpy())
            scores[name] = detector.compare(X=live[name].to_numpy())[0].statistic
    return scores
