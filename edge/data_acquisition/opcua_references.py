"""What hangs below nodes of an OPC UA server, many nodes at a time."""

from collections.abc import Sequence
from typing import Any, Final

from asyncua import Client, ua

from edge.data_acquisition.opcua_limits import ServerLimits, in_batches

# a browse of many nodes gives a large answer
AT_ONCE: Final = 100


async def references(
    client: Client,
    limits: ServerLimits,
    nodes: Sequence[ua.NodeId],
    kind: int = ua.ObjectIds.HierarchicalReferences,
) -> list[list[Any]]:
    """Of each node its forward references of this kind to objects and variables."""
    limit = limits.of("browse")
    limit.at_most = min(limit.at_most, AT_ONCE)

    async def some(part: Sequence[ua.NodeId]) -> Sequence[list[Any]]:
        parameters = ua.BrowseParameters()
        for node in part:
            wanted = ua.BrowseDescription()
            wanted.NodeId, wanted.BrowseDirection = node, ua.BrowseDirection.Forward
            wanted.ReferenceTypeId, wanted.IncludeSubtypes = ua.NodeId(kind), True
            wanted.NodeClassMask = ua.NodeClass.Object | ua.NodeClass.Variable
            wanted.ResultMask = ua.BrowseResultMask.All
            parameters.NodesToBrowse.append(wanted)
        results = await client.uaclient.browse(parameters)
        found = [list(result.References or ()) for result in results]
        points = [result.ContinuationPoint for result in results]
        while more := [number for number, point in enumerate(points) if point]:
            again = ua.BrowseNextParameters()
            again.ContinuationPoints = [points[number] for number in more]
            for number, result in zip(more, await client.uaclient.browse_next(again), strict=True):
                found[number] += result.References or ()
                points[number] = result.ContinuationPoint
        return found

    return await in_batches(nodes, limit, some)


async def properties(client: Client, limits: ServerLimits, nodes: Sequence[ua.NodeId], name: str) -> list[ua.NodeId | None]:
    """Of each node its property of this name, in whichever namespace a server has put it."""
    found = await references(client, limits, nodes, ua.ObjectIds.HasProperty)
    return [next((_local(each.NodeId) for each in listed if each.BrowseName.Name == name), None) for listed in found]


def _local(node: ua.ExpandedNodeId) -> ua.NodeId:
    return ua.NodeId(node.Identifier, node.NamespaceIndex)
