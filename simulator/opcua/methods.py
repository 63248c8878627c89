"""What clients can do to a machine: InjectFault, Repair and StartJob."""

import logging
from collections.abc import Callable
from typing import Any, Final

from asyncua import ua

from edge.formats.opcua_nodes import AddressSpace, good
from simulator.site import CommandRefused, Site

logger = logging.getLogger(__name__)


def _arguments(*arguments: tuple[str, int, str]) -> ua.DataValue:
    values = [
        ua.Argument(Name=name, DataType=ua.NodeId(kind), ValueRank=-1, Description=ua.LocalizedText(text, "en"))
        for name, kind, text in arguments
    ]
    return good(values, ua.VariantType.ExtensionObject, is_array=True)


_FAULT: Final = _arguments(
    ("fault", ua.ObjectIds.String, "the fault's identifier, such as bearing-wear"),
    ("severity", ua.ObjectIds.Double, "how bad it gets: 0 to 1"),
    ("over_s", ua.ObjectIds.Double, "the seconds it takes to get there"),
)
_RECIPE: Final = _arguments(("recipe", ua.ObjectIds.String, "what to make next"))


def add_fault_methods(space: AddressSpace, site: Site, asset: str, node: ua.NodeId) -> None:
    """InjectFault and Repair, for an asset that can fail."""

    async def inject(_owner: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
        if (wrong := _wrong(arguments, str, float, float)) is not None:
            return wrong
        fault, severity, over_s = (argument.Value for argument in arguments)
        done = f"{asset}: {fault} grows to {severity:g} within {over_s:g} s"
        return _do(lambda: site.inject(asset, fault, float(severity), float(over_s)), f"InjectFault on {asset}", done)

    async def repair(_owner: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
        if (wrong := _wrong(arguments)) is not None:
            return wrong
        return _do(lambda: site.repair(asset), f"Repair on {asset}", f"{asset}: repaired")

    space.add_method(ua.QualifiedName("InjectFault", node.NamespaceIndex), node, _FAULT, 3, inject)
    space.add_method(ua.QualifiedName("Repair", node.NamespaceIndex), node, None, 0, repair)


def add_job_method(space: AddressSpace, site: Site, asset: str, node: ua.NodeId) -> None:
    """StartJob, for an asset that can be asked to make something."""

    async def start_job(_owner: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
        if (wrong := _wrong(arguments, str)) is not None:
            return wrong
        recipe = arguments[0].Value
        return _do(lambda: site.start_job(asset, recipe), f"StartJob on {asset}", f"{asset}: {recipe} is next")

    space.add_method(ua.QualifiedName("StartJob", node.NamespaceIndex), node, _RECIPE, 1, start_job)


def _wrong(arguments: tuple[ua.Variant, ...], *kinds: type) -> ua.StatusCode | None:
    """What is wrong with the arguments of a call; None where nothing is. A whole number will do as a float."""
    if len(arguments) != len(kinds):
        few = len(arguments) < len(kinds)
        return ua.StatusCode(ua.StatusCodes.BadArgumentsMissing if few else ua.StatusCodes.BadTooManyArguments)
    values: list[Any] = [argument.Value for argument in arguments]
    # bool is an int to Python, and is none here
    fits = (type(value) is kind or (kind is float and type(value) is int) for value, kind in zip(values, kinds, strict=True))
    return None if all(fits) else ua.StatusCode(ua.StatusCodes.BadInvalidArgument)


def _do(action: Callable[[], None], call: str, done: str) -> ua.StatusCode:
    try:
        action()
    except CommandRefused as refusal:
        logger.warning("%s was refused: %s", call, refusal)
        return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
    logger.info("%s (OPC UA)", done)
    return ua.StatusCode(ua.StatusCodes.Good)
