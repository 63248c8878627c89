"""A bare asyncua client that does nothing with what comes: `python -m tests.bench.bare_opcua URL NODES HOW SECONDS`.

HOW: `handler`, asyncua's notification handler, or `messages`, its publish results whole, which is its decoding alone.
Prints JSON: values, CPU seconds, and wall seconds of so many seconds.
"""

import asyncio
import json
import sys
import time
from typing import Any, Final

from asyncua import Client, ua

from tests.bench.opcua_source import NAMESPACE, PAST_S, PERIOD_MS

QUEUE: Final = 20


class Counted:
    """Counts values, and looks at nothing else."""

    def __init__(self) -> None:
        self.values = 0

    def datachange_notification(self, _node: Any, _value: Any, _data: Any) -> None:
        self.values += 1

    def take(self, result: ua.PublishResult) -> None:
        for notification in result.NotificationMessage.NotificationData or ():
            self.values += len(notification.MonitoredItems)


async def main(url: str, n_nodes: int, how: str, seconds: float) -> None:
    counted = Counted()
    async with Client(url) as client:
        index = await client.get_namespace_index(NAMESPACE)
        nodes = [client.get_node(ua.NodeId(f"s{number}", index)) for number in range(n_nodes)]
        if how == "handler":
            subscription = await client.create_subscription(PERIOD_MS, counted)
            await subscription.subscribe_data_change(nodes, queuesize=QUEUE)
        else:
            parameters = ua.CreateSubscriptionParameters(
                RequestedPublishingInterval=PERIOD_MS, RequestedMaxKeepAliveCount=20, RequestedLifetimeCount=200
            )
            parameters.PublishingEnabled = True
            made = await client.uaclient.create_subscription(parameters, counted.take)
            create = ua.CreateMonitoredItemsParameters(SubscriptionId=made.SubscriptionId)
            create.TimestampsToReturn = ua.TimestampsToReturn.Both
            for number, node in enumerate(nodes):
                item = ua.MonitoredItemCreateRequest(ua.ReadValueId(node.nodeid, ua.AttributeIds.Value))
                item.MonitoringMode = ua.MonitoringMode.Reporting
                item.RequestedParameters.ClientHandle, item.RequestedParameters.QueueSize = number, QUEUE
                create.ItemsToCreate.append(item)
            await client.uaclient.create_monitored_items(create)
        # the last minute comes first
        while counted.values < (PAST_S + 1) * n_nodes:  # noqa: ASYNC110  # it tells no one
            await asyncio.sleep(0.1)
        before, cpu, wall = counted.values, time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        print(
            json.dumps(
                {
                    "values": counted.values - before,
                    "cpu_s": time.process_time() - cpu,
                    "wall_s": time.monotonic() - wall,
                    "all": counted.values,
                }
            )
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])))
