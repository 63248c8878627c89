"""What Prometheus reads of the api."""

from prometheus_client.parser import text_string_to_metric_families

from api.metrics import MetricFamily, exposition
from tests.api.running_api import RunningApi
from tests.api.scripted_edge import ScriptedEdge, assessment


async def test_the_figures_are_those_of_the_status(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    scripted_edge.publish(assessment("pump-101", 0))
    scripted_edge.publish_status()
    await api.until_contiguous(1)
    await api.until_edges("edge-1")
    answer = await api.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {sample.name: sample for family in text_string_to_metric_families(answer.text) for sample in family.samples}
    assert found["kullager_api_broker_connected"].value == 1
    assert found["kullager_api_results_stored_total"].value == 1
    assert found["kullager_api_journal_missing_results"].value == 0
    assert (found["kullager_api_edge_online"].labels, found["kullager_api_edge_online"].value) == ({"edge": "edge-1"}, 1)


def test_every_label_can_be_read_back() -> None:
    labels = {"reason": 'a "quote", a \\ and\na line'}
    (family,) = text_string_to_metric_families(exposition([MetricFamily("x", "gauge", "x", [(labels, 2.5)])]))
    assert [(sample.labels, sample.value) for sample in family.samples] == [(labels, 2.5)]
