"""The models in service, as the edges tell."""

from typing import Final

from fastapi import APIRouter, Response

from api.answers import Items, example, json_list
from api.services import Use

router = APIRouter(prefix="/models", tags=["models"])

EXAMPLE: Final = {
    "name": "pump",
    "edge": "edge-1",
    "version": "3",
    "role": "champion",
    "assets": ["pump-101"],
    "tolerance": {"vibration": 0.4},
    "false_alarms_per_week": 0.5,
    "figures": {"roc_auc": 0.93},
    "problem": None,
}


@router.get(
    "",
    response_model=Items,
    responses=example({"items": [EXAMPLE], "next": None}),
    summary="The models in service, on each edge",
)
def list_models(services: Use) -> Response:
    return json_list(
        {
            "name": name,
            "edge": edge,
            "version": model.version,
            "role": model.role,
            "assets": model.assets,
            "tolerance": model.tolerance,
            "false_alarms_per_week": model.false_alarms_per_week,
            "figures": model.figures,
            "problem": model.problem,
        }
        for edge, status in sorted(services.ingest.reception.statuses.items())
        for name, model in sorted(status.models.items())
    )
