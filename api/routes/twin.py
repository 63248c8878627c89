"""The digital twin: shells, submodels and concepts after the AAS API (IDTA-01002-3-0, Part 2), for reading."""

from typing import Annotated, Any, Final

from aas_core3 import types as aas
from fastapi import APIRouter, Depends, Query, Response
from pydantic import AfterValidator

from api.problems import Problem, ProblemType
from api.routes import submodels
from api.twin.elements import reference
from api.twin.example import example_twin
from api.twin.identifiers import from_base64url
from api.twin_answers import (
    NO_SHELL,
    NOT_BASE64URL,
    ConceptId,
    Cursor,
    IdShort,
    Limit,
    ShellId,
    TwinRoute,
    UseTwin,
    documented,
    from_json,
    give,
    known_shell,
    known_submodel,
    page_of,
    paged,
    plain,
)

router = APIRouter(prefix="/aas", tags=["digital twin"], route_class=TwinRoute)

PROFILES: Final = (
    "https://admin-shell.io/aas/API/3/0/AssetAdministrationShellRepositoryServiceSpecification/SSP-002",
    "https://admin-shell.io/aas/API/3/0/SubmodelRepositoryServiceSpecification/SSP-002",
)
_TWIN: Final = example_twin()
_SHELL: Final = _TWIN.shell(_TWIN.shell_ids[0])
_CONCEPT: Final = _TWIN.concepts()[0]
NO_CONCEPT: Final = (
    "there is no concept description 'urn:kullager:concept:skore'; GET /api/v1/aas/concept-descriptions lists them"
)
WRONG_ASSET_ID: Final = "query.assetIds: 'pump-101' should be a JSON object in base64url"

AssetIds = Annotated[
    list[str] | None,
    Query(alias="assetIds", description='only those of this asset: `{"name": "globalAssetId", "value": …}` in base64url'),
]
Identifiers = Annotated[list[Annotated[str, AfterValidator(from_base64url)]] | None, Query()]


@router.get("/shells", responses=documented(paged([plain(_SHELL)]), _400=WRONG_ASSET_ID), summary="The shells of all machines")
def list_shells(
    twin: UseTwin, asset_ids: AssetIds = None, id_short: IdShort = None, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    return page_of(_chosen(twin, asset_ids, id_short), limit, cursor, plain)


@router.get(
    "/shells/$reference",
    responses=documented(paged([plain(reference(aas.KeyTypes.ASSET_ADMINISTRATION_SHELL, _SHELL.id))]), _400=WRONG_ASSET_ID),
    summary="References to the shells of all machines",
)
def list_shell_references(
    twin: UseTwin, asset_ids: AssetIds = None, id_short: IdShort = None, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    return page_of(_chosen(twin, asset_ids, id_short), limit, cursor, _reference_to)


@router.get(
    "/shells/{aas_identifier}",
    responses=documented(plain(_SHELL), _400=NOT_BASE64URL, _404=NO_SHELL),
    summary="The shell of one machine",
)
def get_shell(twin: UseTwin, aas_identifier: ShellId) -> Response:
    return give(plain(known_shell(twin, aas_identifier)))


@router.get(
    "/shells/{aas_identifier}/$reference",
    responses=documented(
        plain(reference(aas.KeyTypes.ASSET_ADMINISTRATION_SHELL, _SHELL.id)), _400=NOT_BASE64URL, _404=NO_SHELL
    ),
    summary="A reference to the shell of one machine",
)
def get_shell_reference(twin: UseTwin, aas_identifier: ShellId) -> Response:
    return give(_reference_to(known_shell(twin, aas_identifier)))


@router.get(
    "/shells/{aas_identifier}/asset-information",
    responses=documented(plain(_SHELL.asset_information), _400=NOT_BASE64URL, _404=NO_SHELL),
    summary="Which asset the shell is of",
)
def get_asset_information(twin: UseTwin, aas_identifier: ShellId) -> Response:
    return give(plain(known_shell(twin, aas_identifier).asset_information))


@router.get(
    "/shells/{aas_identifier}/submodel-refs",
    responses=documented(paged([plain(each) for each in _SHELL.submodels or ()]), _400=NOT_BASE64URL, _404=NO_SHELL),
    summary="References to the submodels of a shell",
)
def list_submodel_references(twin: UseTwin, aas_identifier: ShellId, limit: Limit = 100, cursor: Cursor = None) -> Response:
    return page_of(known_shell(twin, aas_identifier).submodels or [], limit, cursor, plain)


router.include_router(submodels.each, prefix="/shells/{aas_identifier}", dependencies=[Depends(submodels.in_shell)])
router.include_router(submodels.router)
router.include_router(submodels.each)


@router.get(
    "/concept-descriptions",
    responses=documented(paged([plain(_CONCEPT)]), _400=submodels.WRONG_LIMIT),
    summary="What the signals and kullager's own words mean, with their units",
)
def list_concepts(twin: UseTwin, id_short: IdShort = None, limit: Limit = 100, cursor: Cursor = None) -> Response:
    found = [concept for concept in twin.concepts() if id_short in (None, concept.id_short)]
    return page_of(found, limit, cursor, plain)


@router.get(
    "/concept-descriptions/{cd_identifier}",
    responses=documented(plain(_CONCEPT), _400=NOT_BASE64URL, _404=NO_CONCEPT),
    summary="What one of them means",
)
def get_concept(twin: UseTwin, cd_identifier: ConceptId) -> Response:
    for concept in twin.concepts():
        if concept.id == cd_identifier:
            return give(plain(concept))
    raise Problem(
        ProblemType.NOT_FOUND,
        f"there is no concept description '{cd_identifier}'; GET /api/v1/aas/concept-descriptions lists them",
    )


@router.get(
    "/serialization",
    responses=documented(
        plain(_TWIN.environment(_TWIN.shell_ids, _TWIN.submodel_ids("Nameplate"), with_concepts=False)),
        _400="query.aasIds.0: 'pump-101' should be an identifier in base64url",
        _404=NO_SHELL,
    ),
    summary="Shells, their submodels and concepts in one file: an Environment, as JSON",
)
def get_serialization(
    twin: UseTwin,
    aas_ids: Annotated[Identifiers, Query(alias="aasIds", description="these shells; each id in base64url")] = None,
    submodel_ids: Annotated[
        Identifiers, Query(alias="submodelIds", description="these submodels; without it those of the shells")
    ] = None,
    with_concepts: Annotated[bool, Query(alias="includeConceptDescriptions")] = True,
) -> Response:
    """Without aasIds and submodelIds everything there is."""
    shells = aas_ids if aas_ids is not None else twin.shell_ids if submodel_ids is None else []
    for identifier in shells:
        known_shell(twin, identifier)
    if submodel_ids is None:
        chosen = [identifier for shell in shells for identifier in twin.submodel_ids_of(shell)]
    else:
        chosen = submodel_ids
    for identifier in submodel_ids or ():
        known_submodel(twin, identifier)
    return give(plain(twin.environment(shells, chosen, with_concepts)))


@router.get(
    "/description",
    responses=documented({"profiles": PROFILES}),
    summary="The service profiles of the AAS API that this server has",
)
def get_description() -> Response:
    return give({"profiles": PROFILES})


@router.get("/{elsewhere:path}", include_in_schema=False)
def nothing_there(elsewhere: str) -> Response:
    raise Problem(ProblemType.NOT_FOUND, f"there is nothing at '{elsewhere}'; GET /api/v1/openapi.json lists every route")


def _chosen(twin: UseTwin, asset_ids: list[str] | None, id_short: str | None) -> list[aas.AssetAdministrationShell]:
    wanted = [from_json("assetIds", text) for text in asset_ids or ()]
    shells = [twin.shell(identifier) for identifier in twin.shell_ids]
    return [shell for shell in shells if id_short in (None, shell.id_short) and all(_is_of(shell, asset) for asset in wanted)]


def _is_of(shell: aas.AssetAdministrationShell, wanted: dict[str, Any]) -> bool:
    information = shell.asset_information
    known = {each.name: each.value for each in information.specific_asset_ids or ()}
    known["globalAssetId"] = information.global_asset_id or ""
    return known.get(str(wanted.get("name"))) == wanted.get("value")


def _reference_to(shell: aas.AssetAdministrationShell) -> Any:
    return plain(reference(aas.KeyTypes.ASSET_ADMINISTRATION_SHELL, shell.id))
