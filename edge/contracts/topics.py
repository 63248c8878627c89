"""MQTT topics, below `kullager/v1/<enterprise>/<site>/<area>`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one site.

    >>> topics = Topics("kullager/v1/automation-region/testbed-vasteras/hall-1")
    >>> topics.assessment("pump-101")
    'kullager/v1/automation-region/testbed-vasteras/hall-1/assets/pump-101/assessment'
    >>> topics.parts(topics.alarm("pump-101", "0198"))
    ('assets', 'pump-101', 'alarm', '0198')
    """

    base: str

    def assessment(self, asset: str) -> str:
        return f"{self.base}/assets/{asset}/assessment"

    def alarm(self, asset: str, alarm_id: str) -> str:
        return f"{self.base}/assets/{asset}/alarm/{alarm_id}"

    def case(self, asset: str, case_id: str) -> str:
        return f"{self.base}/assets/{asset}/case/{case_id}"

    def performance(self, asset: str) -> str:
        return f"{self.base}/assets/{asset}/performance"

    def spectrum(self, asset: str, signal: str) -> str:
        return f"{self.base}/assets/{asset}/spectrum/{signal}"

    def edge_audit(self, edge: str) -> str:
        return f"{self.base}/edges/{edge}/audit"

    def edge_evidence(self, edge: str, client: str, command_id: str, part: int | str) -> str:
        return f"{self.base}/edges/{edge}/evidence/{client}/{command_id}/{part}"

    def edge_status(self, edge: str) -> str:
        return f"{self.base}/edges/{edge}/status"

    def edge_command(self, edge: str, verb: str) -> str:
        return f"{self.base}/edges/{edge}/command/{verb}"

    def edge_reply(self, edge: str, command_id: str) -> str:
        return f"{self.base}/edges/{edge}/reply/{command_id}"

    def edge_resend(self, edge: str, client: str) -> str:
        return f"{self.base}/edges/{edge}/resend/{client}"

    @property
    def simulator_catalogue(self) -> str:
        return f"{self.base}/simulator/catalogue"

    def simulator_command(self, verb: str) -> str:
        return f"{self.base}/simulator/command/{verb}"

    def simulator_reply(self, command_id: str) -> str:
        return f"{self.base}/simulator/reply/{command_id}"

    def simulator_truth(self, asset: str) -> str:
        return f"{self.base}/simulator/truth/{asset}"

    def parts(self, topic: str) -> tuple[str, ...]:
        """The levels of `topic` below the base; empty when it lies elsewhere."""
        prefix = self.base + "/"
        return tuple(topic[len(prefix) :].split("/")) if topic.startswith(prefix) else ()
