"""The PyPI package prometheus_client, the official one of Prometheus, with the metrics of each service in both formats."""

import os

import httpx
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

FORMATS = {
    "application/openmetrics-text; version=1.0.0": openmetrics_parser.text_string_to_metric_families,
    "text/plain; version=0.0.4": parser.text_string_to_metric_families,
}


def samples(url: str, accepted: str) -> dict[tuple[str, frozenset[tuple[str, str]]], str]:
    """The type of each sample at the URL, by the name and the labels of the sample."""
    answer = httpx.get(url, headers={"Accept": accepted})
    answer.raise_for_status()
    media_type = accepted.partition(";")[0]
    assert answer.headers["content-type"].startswith(media_type), (url, answer.headers["content-type"])
    return {
        (sample.name, frozenset(sample.labels.items())): family.type
        for family in FORMATS[accepted](answer.text)
        for sample in family.samples
    }


for address in sorted(os.environ["DEBUG_ADDRESSES"].split()):
    openmetrics_samples, text_samples = (samples(f"http://{address}/metrics", accepted) for accepted in FORMATS)
    assert len(openmetrics_samples) >= 8, openmetrics_samples
    assert set(text_samples.values()) <= {"counter", "gauge", "histogram"}, text_samples
    # the request for the one may be the first of its kind that the other counts
    differing = {name for name, _ in openmetrics_samples.keys() ^ text_samples.keys()}
    assert all(name.startswith("doorward_request") for name in differing), differing
    types = {name: kind for (name, _), kind in text_samples.items()}
    assert all(types.get(name, kind) == kind for (name, _), kind in openmetrics_samples.items()), types
    print(f"{len(openmetrics_samples)} samples at {address}")
