"""NannyML: the univariate drift calculator with the Jensen-Shannon distance, each side as one chunk."""

import nannyml as nml

MEASURE = "JS distance (Doane bins); UnivariateDriftCalculator, one chunk"


def score(reference, live):
    """Fit on the reference, calculate on the live rows."""
    columns = list(reference.columns)
    calculator = nml.UnivariateDriftCalculator(
        column_names=columns,
        continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"],
        chunk_number=1,
    )
    frame = calculator.fit(reference).calculate(live).filter(period="analysis").to_df()
    return {name: frame[name, "jensen_shannon", "value"].iloc[0] for name in columns}
