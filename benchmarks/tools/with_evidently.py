"""Evidently: the data drift preset with the Jensen-Shannon distance; no report is rendered."""

from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

MEASURE = "JS distance (30 bins); DataDriftPreset(method='jensenshannon')"


def score(reference, live):
    """As in the documentation of customized drift detection."""
    return values([DataDriftPreset(method="jensenshannon")], reference, live)


def values(metrics, reference, live):
    """Run metrics on frames whose column types are told, not guessed."""
    numbers = list(reference.select_dtypes("number").columns)
    words = [name for name in reference.columns if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=words)
    found = Report(metrics).run(
        current_data=Dataset.from_pandas(live, data_definition=definition),
        reference_data=Dataset.from_pandas(reference, data_definition=definition),
    )
    single = [metric for metric in found.dict()["metrics"] if "column" in metric["config"]]
    return {metric["config"]["column"]: metric["value"] for metric in single}
