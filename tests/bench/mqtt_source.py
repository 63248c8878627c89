"""Publishes numbered messages at QoS 1: `python -m tests.bench.mqtt_source URL N_TOPICS N_MESSAGES RATE_HZ BATCH`.

Topics `press/0` … in turn, each message `{"time": …, "s0": …}`; with BATCH above 1 both are lists of so many. The time, in ms
since 1970, is the sequence number: in each topic it goes up by one with each value.
"""

import sys
import time
from typing import Final

import orjson
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

BEGIN_MS: Final = 1_795_000_000_000
AT_ONCE: Final = 500


def main(url: str, n_topics: int, n_messages: int, rate_hz: float, batch: int) -> None:
    host, _, port = url.removeprefix("mqtt://").partition(":")
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(AT_ONCE)
    client.connect(host, int(port))
    client.loop_start()
    begin = time.monotonic()
    for number in range(n_messages):
        topic, first = number % n_topics, BEGIN_MS + number // n_topics * batch
        body = (
            {"time": first, "s0": number * 0.001}
            if batch == 1
            else {"time": list(range(first, first + batch)), "s0": [(number + k) * 0.001 for k in range(batch)]}
        )
        sent = client.publish(f"press/{topic}", orjson.dumps(body), qos=1)
        if (ahead := begin + number / rate_hz - time.monotonic()) > 0:
            time.sleep(ahead)
    sent.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
