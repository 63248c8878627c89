"""Listens to nodes for a while, to see how often they come: for browsing and for checks."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from asyncua import Client, ua

from edge.data_acquisition.opcua_limits import ServerLimits, in_batches

PUBLISHING_MS: Final = 200.0
QUEUE_SIZE: Final = 100


async def listen(
    client: Client, limits: ServerLimits, nodes: Sequence[ua.NodeId], listen_s: float, take: Callable[[int, ua.DataValue], None]
) -> None:
    """Give `take` each value of a node, by its place in `nodes`; the first is what it was before; one that fails has none."""

    async def notified(result: ua.PublishResult) -> None:
        for notification in result.NotificationMessage.NotificationData or ():
            if isinstance(notification, ua.DataChangeNotification):
                for item in notification.MonitoredItems:
                    take(item.ClientHandle, item.Value)

    parameters = ua.CreateSubscriptionParameters()
    parameters.RequestedPublishingInterval, parameters.PublishingEnabled = PUBLISHING_MS, True
    parameters.RequestedMaxKeepAliveCount, parameters.RequestedLifetimeCount = 10, 100
    subscription = await client.uaclient.create_subscription(parameters, notified)

    async def monitor(handles: Sequence[int]) -> Sequence[object]:
        create = ua.CreateMonitoredItemsParameters()
        create.SubscriptionId, create.TimestampsToReturn = subscription.SubscriptionId, ua.TimestampsToReturn.Both
        for handle in handles:
            item = ua.MonitoredItemCreateRequest()
            item.ItemToMonitor = ua.ReadValueId(NodeId=nodes[handle], AttributeId=ua.AttributeIds.Value)
            item.MonitoringMode = ua.MonitoringMode.Reporting
            item.RequestedParameters.ClientHandle = handle
            item.RequestedParameters.SamplingInterval, item.RequestedParameters.QueueSize = 0.0, QUEUE_SIZE
            item.RequestedParameters.DiscardOldest = True
            item.RequestedParameters.Filter = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
            create.ItemsToCreate.append(item)
        results: Sequence[object] = await client.uaclient.create_monitored_items(create)
        return results

    await in_batches(range(len(nodes)), limits.of("monitor"), monitor)
    await asyncio.sleep(listen_s)
    await client.uaclient.delete_subscriptions([subscription.SubscriptionId])
