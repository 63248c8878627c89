"""Submodels and their elements, after the Submodel Repository of the AAS API; below a shell the same ones again."""

from typing import Annotated, Any, Final

from aas_core3 import types as aas
from fastapi import APIRouter, Depends, Path, Query, Response
from starlette.convertors import Convertor, register_url_convertor

from api.problems import Problem, ProblemType
from api.twin import views
from api.twin.example import example_twin
from api.twin_answers import (
    NO_SUBMODEL,
    NOT_BASE64URL,
    Cursor,
    IdShort,
    Limit,
    ShellId,
    SubmodelId,
    TwinRoute,
    UseTwin,
    documented,
    from_json,
    give,
    known_shell,
    known_submodel,
    page_of,
    paged,
)

_TWIN: Final = example_twin()
_NAMEPLATE, _, _MAINTENANCE = (_TWIN.submodel(identifier) for identifier in _TWIN.submodel_ids())
_SCORE: Final = views.find(_MAINTENANCE, "Condition.Score")
NO_ELEMENT: Final = "there is no element 'Condition.Skore' in PredictiveMaintenance; …/submodel-elements/$path lists them"
WRONG_LEVEL: Final = "query.level: Input should be 'deep' or 'core'"
WRONG_LIMIT: Final = "query.limit: Input should be greater than or equal to 1"


class _ContentConvertor(Convertor[str]):
    """Tells the views from identifiers, which have no dollar sign."""

    regex = r"\$(?:metadata|value|reference|path)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("content", _ContentConvertor())

Content = Annotated[views.Content, Path(description="how they are shown", examples=["$value"])]
Level = Annotated[views.Level, Query(description="`core` stops at the children")]
# there is no Blob here, so it changes nothing
Extent = Annotated[str, Query(pattern="^with(out)?BlobValue$")]
ElementPath = Annotated[str, Path(description="an idShortPath", examples=["Condition.Score", "OpenAlarms[0].Text"])]
SemanticId = Annotated[str | None, Query(alias="semanticId", description="only those that mean this: a Reference in base64url")]

router = APIRouter(prefix="/submodels", tags=["digital twin"], route_class=TwinRoute)
each = APIRouter(prefix="/submodels/{submodel_identifier}", tags=["digital twin"], route_class=TwinRoute)


def _submodel(twin: UseTwin, submodel_identifier: SubmodelId) -> aas.Submodel:
    return known_submodel(twin, submodel_identifier)


def in_shell(twin: UseTwin, aas_identifier: ShellId, submodel_identifier: SubmodelId) -> None:
    """What holds for the submodels below a shell: they are this shell's."""
    shell = known_shell(twin, aas_identifier)
    if all(reference.keys[0].value != submodel_identifier for reference in shell.submodels or ()):
        raise Problem(ProblemType.NOT_FOUND, f"the shell '{aas_identifier}' has no submodel '{submodel_identifier}'")


UseSubmodel = Annotated[aas.Submodel, Depends(_submodel)]


@router.get("", responses=documented(paged([views.whole(_NAMEPLATE)]), _400=WRONG_LIMIT), summary="All submodels")
def list_submodels(
    twin: UseTwin,
    id_short: IdShort = None,
    semantic_id: SemanticId = None,
    level: Level = views.Level.DEEP,
    extent: Extent = "withoutBlobValue",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    identifiers = twin.submodel_ids(id_short, _meant(semantic_id))
    return page_of(identifiers, limit, cursor, lambda identifier: views.whole(twin.submodel(identifier), level))


@router.get(
    "/{content:content}",
    responses=documented(paged([views.value(_NAMEPLATE)]), _400=WRONG_LIMIT, _404=NO_SUBMODEL),
    summary="All submodels, by their metadata, values, references or paths",
)
def list_submodel_views(
    twin: UseTwin,
    content: Content,
    id_short: IdShort = None,
    semantic_id: SemanticId = None,
    level: Level = views.Level.DEEP,
    extent: Extent = "withoutBlobValue",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    identifiers = twin.submodel_ids(id_short, _meant(semantic_id))
    if content is views.Content.PATH:
        found = [path for name in identifiers for path in views.paths(views.children(twin.submodel(name)), level)]
        return page_of(found, limit, cursor, str)
    return page_of(identifiers, limit, cursor, lambda name: _submodel_view(twin.submodel(name), content, level))


@each.get(
    "",
    responses=documented(views.whole(_MAINTENANCE), _400=NOT_BASE64URL, _404=NO_SUBMODEL),
    summary="One submodel, as it is now",
)
def get_submodel(submodel: UseSubmodel, level: Level = views.Level.DEEP, extent: Extent = "withoutBlobValue") -> Response:
    return give(views.whole(submodel, level))


@each.get(
    "/{content:content}",
    responses=documented(views.value(_MAINTENANCE), _400=NOT_BASE64URL, _404=NO_SUBMODEL),
    summary="One submodel, by its metadata, values, reference or paths",
)
def get_submodel_view(
    submodel: UseSubmodel, content: Content, level: Level = views.Level.DEEP, extent: Extent = "withoutBlobValue"
) -> Response:
    return give(_submodel_view(submodel, content, level))


@each.get(
    "/submodel-elements",
    responses=documented(
        paged([views.whole(element) for element in views.children(_NAMEPLATE)[:2]], "2"),
        _400=WRONG_LIMIT,
        _404=NO_SUBMODEL,
    ),
    summary="The elements of a submodel",
)
def list_elements(
    submodel: UseSubmodel,
    level: Level = views.Level.DEEP,
    extent: Extent = "withoutBlobValue",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    return page_of(views.children(submodel), limit, cursor, lambda element: views.whole(element, level))


@each.get(
    "/submodel-elements/{content:content}",
    responses=documented(
        paged([views.named_value(element) for element in views.children(_NAMEPLATE)[:2]], "2"),
        _400=WRONG_LIMIT,
        _404=NO_SUBMODEL,
    ),
    summary="The elements of a submodel, by their metadata, values, references or paths",
)
def list_element_views(
    submodel: UseSubmodel,
    content: Content,
    level: Level = views.Level.DEEP,
    extent: Extent = "withoutBlobValue",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    elements = views.children(submodel)
    if content is views.Content.PATH:
        return page_of(list(views.paths(elements, level)), limit, cursor, str)
    return page_of(
        elements, limit, cursor, lambda element: _element_view(submodel, [element], element.id_short, content, level)
    )


@each.get(
    "/submodel-elements/{id_short_path}",
    responses=documented(views.whole(_SCORE[-1]), _400=WRONG_LEVEL, _404=NO_ELEMENT),
    summary="One element of a submodel",
)
def get_element(
    submodel: UseSubmodel,
    id_short_path: ElementPath,
    level: Level = views.Level.DEEP,
    extent: Extent = "withoutBlobValue",
) -> Response:
    return give(views.whole(_known_element(submodel, id_short_path)[-1], level))


@each.get(
    "/submodel-elements/{id_short_path}/{content:content}",
    responses=documented(views.named_value(_SCORE[-1]), _400=WRONG_LEVEL, _404=NO_ELEMENT),
    summary="One element of a submodel, by its metadata, value, reference or paths",
)
def get_element_view(
    submodel: UseSubmodel,
    id_short_path: ElementPath,
    content: Content,
    level: Level = views.Level.DEEP,
    extent: Extent = "withoutBlobValue",
) -> Response:
    return give(_element_view(submodel, _known_element(submodel, id_short_path), id_short_path, content, level))


def _meant(semantic_id: str | None) -> str | None:
    """The concept at the end of a Reference."""
    if semantic_id is None:
        return None
    try:
        return str(from_json("semanticId", semantic_id)["keys"][-1]["value"])
    except (LookupError, TypeError):
        raise Problem(
            ProblemType.INVALID_REQUEST, f"query.semanticId: '{semantic_id}' should be a Reference with its keys, in base64url"
        ) from None


def _known_element(submodel: aas.Submodel, path: str) -> list[aas.SubmodelElement]:
    try:
        return views.find(submodel, path)
    except LookupError:
        raise Problem(
            ProblemType.NOT_FOUND, f"there is no element '{path}' in {submodel.id_short}; …/submodel-elements/$path lists them"
        ) from None
    except ValueError as error:
        raise Problem(ProblemType.INVALID_REQUEST, f"path.id_short_path: {error}") from None


def _submodel_view(submodel: aas.Submodel, content: views.Content, level: views.Level) -> Any:
    match content:
        case views.Content.METADATA:
            return views.metadata(submodel)
        case views.Content.VALUE:
            return views.value(submodel, level)
        case views.Content.REFERENCE:
            return views.reference_to(submodel)
        case views.Content.PATH:
            return list(views.paths(views.children(submodel), level))


def _element_view(
    submodel: aas.Submodel, trail: list[aas.SubmodelElement], path: str | None, content: views.Content, level: views.Level
) -> Any:
    element, path = trail[-1], path or ""
    match content:
        case views.Content.METADATA:
            return views.metadata(element)
        case views.Content.VALUE:
            return views.named_value(element, level)
        case views.Content.REFERENCE:
            return views.reference_to(submodel, trail, path)
        case views.Content.PATH:
            if not isinstance(element, aas.SubmodelElementCollection | aas.SubmodelElementList | aas.Entity):
                raise Problem(
                    ProblemType.INVALID_REQUEST, f"'{path}' is a {type(element).__name__}, which has no elements in it"
                )
            return list(views.paths_from(element, path, level))
