"""Evidently: the data drift preset with the Jensen-Shannon distance, without rendering a report."""

from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

MEASURE = "JS distance (30 bins); DataDriftPreset(method='jensenshannon')"


def score(reference, live):
    """Run the preset as its documentation of customized drift detection shows."""
    return values([DataDriftPreset(method="jensenshannon")], reference, live)


def values(metrics, reference, live):
    """Run metrics on frames with declared column types."""
    numbers = list(reference.select_dtypes("number").columns)
    words = [name for name in reference.columns if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=words)
    snapshot = Report(metrics).run(
        current_data=Dataset.from_pandas(live, data_definition=definition),
        reference_data=Dataset.from_pandas(reference, data_definition=definition),
    )
    single = [metric for metric in snapshot.dict()["metrics"] if "column" in metric["config"]]
    return {metric["config"]["column"]: metric["value"] for metric in single}
