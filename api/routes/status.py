"""How everything is: edges, journals, the broker, the database, and what was refused."""

from typing import Final

from fastapi import APIRouter, Response

from api.answers import STATUS, json_answer, ready
from api.services import Use
from api.shapes.answer import example
from api.shapes.status import StatusAnswer
from edge.formats.json_message import format_time

router = APIRouter(tags=["status"])

EXAMPLE: Final = {
    "broker": {"url": "mqtt://127.0.0.1:1883", "connected": True, "since": "2026-11-23T09:00:00Z", "problem": None},
    "database": {"problem": None, "summarised": 1.0, "forgotten": 0},
    "edges": [STATUS],
    "journals": [
        {
            "edge": "edge-1",
            "journal": "0198f0c2-7a3e-7c55-9f1e-2f6f4f0f8a11",
            "contiguous": 121,
            "announced": 121,
            "missing": 0,
        }
    ],
    "losses": [
        {
            "edge": "edge-1",
            "journal": "0198f0c2-7a3e-7c55-9f1e-2f6f4f0f8a11",
            "first": 1,
            "last": 49,
            "reason": "trimmed",
            "noticed": "2026-11-23T09:00:01Z",
        }
    ],
    "ingest": {
        "messages": 130,
        "stored": 121,
        "duplicates": 3,
        "dropped": 0,
        "resend_requests": 1,
        "rejected": {"not-json": 1},
        "last_rejected": "kullager/v1/…/assets/pump-101/assessment: is not JSON: unexpected end of data",
    },
    "stream": {"clients": 2, "resyncs": 0},
}


@router.get("/status", responses=example(StatusAnswer, EXAMPLE), summary="How everything is")
def get_status(services: Use) -> Response:
    ingest, broker = services.ingest, services.ingest.broker
    counters = ingest.counters
    return json_answer(
        {
            "broker": {
                "url": broker.url,
                "connected": broker.connected,
                "since": format_time(broker.since),
                "problem": broker.problem,
            },
            "database": {
                "problem": ingest.store_problem,
                "summarised": services.store.summarised_share,
                "forgotten": services.upkeep.forgotten,
            },
            "edges": [ready(message) for _, message in services.store.statuses()],
            "journals": [
                {
                    "edge": edge,
                    "journal": journal,
                    "contiguous": cursor.contiguous,
                    "announced": cursor.announced,
                    "missing": cursor.missing_count,
                }
                for (edge, journal), cursor in sorted(ingest.reception.cursors.items())
            ],
            "losses": [
                {
                    "edge": loss.edge,
                    "journal": loss.journal,
                    "first": loss.first,
                    "last": loss.last,
                    "reason": loss.reason,
                    "noticed": format_time(loss.noticed),
                }
                for loss in services.store.losses()
            ],
            "ingest": {
                "messages": counters.messages,
                "stored": counters.stored,
                "duplicates": counters.duplicates,
                "dropped": ingest.dropped,
                "resend_requests": counters.resend_requests,
                "rejected": dict(counters.rejected),
                "last_rejected": counters.last_rejected,
            },
            "stream": {"clients": services.stream.clients, "resyncs": services.stream.resyncs},
        }
    )
