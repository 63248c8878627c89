"""The api's own figures: what came in, what is missing, who listens."""

from api.metrics import MetricFamily
from api.services import Services


def own_metrics(services: Services) -> list[MetricFamily]:
    ingest, stream = services.ingest, services.stream
    counters, cursors = ingest.counters, sorted(ingest.reception.cursors.items())
    statuses = sorted(ingest.reception.statuses.items())
    journals = [({"edge": edge, "journal": journal}, cursor) for (edge, journal), cursor in cursors]
    rejected = sorted(counters.rejected.items())
    return [
        _one("kullager_api_broker_connected", "gauge", "Whether the broker is connected", ingest.broker.connected),
        _one("kullager_api_database_usable", "gauge", "Whether the database takes results", ingest.store_problem is None),
        _one("kullager_api_messages_total", "counter", "Messages that came from the broker", counters.messages),
        _one("kullager_api_results_stored_total", "counter", "Results that were stored", counters.stored),
        _one("kullager_api_results_duplicate_total", "counter", "Results that were there already", counters.duplicates),
        _one("kullager_api_messages_dropped_total", "counter", "Messages that came faster than stored", ingest.dropped),
        _one("kullager_api_resend_requests_total", "counter", "Times that an edge was asked again", counters.resend_requests),
        MetricFamily(
            "kullager_api_messages_rejected_total",
            "counter",
            "Messages that could not be used",
            [({"reason": reason}, count) for reason, count in rejected],
        ),
        MetricFamily(
            "kullager_api_journal_missing_results",
            "gauge",
            "Results of a journal that have still to come",
            [(labels, cursor.missing_count) for labels, cursor in journals],
        ),
        MetricFamily(
            "kullager_api_edge_online",
            "gauge",
            "Whether the edge says that it is there",
            [({"edge": edge}, status.online) for edge, status in statuses],
        ),
        MetricFamily(
            "kullager_api_requests_refused_total",
            "counter",
            "Requests that were too many",
            [({"what": what}, count) for what, count in sorted(services.refused.items())],
        ),
        _one("kullager_api_stream_clients", "gauge", "Streams that are open", stream.clients),
        _one("kullager_api_results_forgotten_total", "counter", "Results too old to be kept", services.upkeep.forgotten),
        _one("kullager_api_stream_resyncs_total", "counter", "Streams that had to load anew", stream.resyncs),
    ]


def _one(name: str, kind: str, about: str, value: float) -> MetricFamily:
    return MetricFamily(name, kind, about, [({}, value)])
