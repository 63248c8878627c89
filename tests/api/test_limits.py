"""Who asks for too much is told so, and nobody else notices."""

import itertools
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from api.rates import MINUTE_S, MOST_KNOWN, Limits, Rate
from edge.contracts.errors import KullagerError
from tests.api.running_api import RunningApi, until

START = 1000.0


@pytest.fixture
def limited(demo_plant: Path, free_port: Callable[[], int], tmp_path: Path) -> RunningApi:
    """An api with limits so small that a test reaches them, not started yet."""
    small = {"KULLAGER_API_READS": "4", "KULLAGER_API_CHANGES": "2", "KULLAGER_API_SIGN_INS": "2", "KULLAGER_API_STREAMS": "3"}
    return RunningApi(demo_plant, free_port(), tmp_path / "home", **small)


async def test_too_many_questions_changes_and_attempts_are_refused_each_by_itself(limited: RunningApi) -> None:
    await limited.start()
    try:
        answers = [await limited.client.get("/api/v1/assets") for _ in range(12)]
        codes = [answer.status_code for answer in answers]
        assert codes[:4] == [200] * 4
        assert 429 in codes[4:]
        refused = answers[codes.index(429)]
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"] == "/problems/too-often"
        assert 1 <= int(refused.headers["retry-after"]) <= 15
        assert refused.json()["detail"] == f"more than 4 questions in a minute; try again in {refused.headers['retry-after']} s"
        assert refused.headers["content-security-policy"], "what protects a browser stands on this answer, too"

        # a token has its own, and what watches the process is never refused
        assert (await limited.client.get("/api/v1/assets", headers=limited.engineer)).status_code == 200
        assert (await limited.client.get("/healthz")).status_code == 200

        path = "/api/v1/alarms/none/acknowledge"
        changes = [await limited.client.post(path, json={}, headers=limited.operator) for _ in range(6)]
        assert [answer.status_code for answer in changes[:2]] == [404, 404]
        assert 429 in [answer.status_code for answer in changes]
        attempts = [await limited.client.post("/api/v1/session", json={"token": "wrong"}) for _ in range(6)]
        assert [answer.status_code for answer in attempts[:2]] == [401, 401]
        assert "attempts to sign in" in next(answer for answer in attempts if answer.status_code == 429).json()["detail"]
        assert (await limited.client.get("/api/v1/aas/shells", headers=limited.admin)).status_code == 200
    finally:
        await limited.close()


async def test_made_up_tokens_are_no_way_round_the_limit_of_an_address(limited: RunningApi) -> None:
    await limited.start()
    try:
        codes = []
        for number in range(40):
            headers = {"Authorization": f"Bearer made-up-{number}"}
            codes.append((await limited.client.get("/api/v1/aas/shells", headers=headers)).status_code)
        assert codes[:16] == [200] * 16
        assert 429 in codes
        told = (await limited.client.get("/api/v1/aas/shells", headers={"Authorization": "Bearer another"})).json()
        assert told["messages"][0]["code"] == "429", "the digital twin says it as its specification has it"
    finally:
        await limited.close()


async def test_an_address_has_so_many_streams_and_a_closed_one_makes_room(limited: RunningApi) -> None:
    await limited.start()
    try:
        async with AsyncExitStack() as others:
            for _ in range(2):
                await others.enter_async_context(limited.stream())
            async with limited.stream():
                answer = await limited.client.get("/api/v1/stream", headers=limited.operator)
                assert answer.status_code == 429
                assert "3 streams are open from your address" in answer.json()["detail"]
                assert answer.headers["retry-after"]

            async def admitted() -> bool:
                # questions have a limit here, too: each with a token of its own
                headers = {"Authorization": f"Bearer {next(names)}"}
                async with limited.client.stream("GET", "/api/v1/stream", headers=headers) as answer:
                    return answer.status_code == 200

            names = (f"name-{number}" for number in itertools.count())
            await until(admitted)
    finally:
        await limited.close()


def test_each_has_all_of_a_minute_at_once_and_then_waits() -> None:
    rate = Rate(60)
    assert [rate.take("anna", START) for _ in range(61)] == [0] * 60 + [1]
    assert rate.take("bo", START) == 0
    assert rate.take("anna", START + 1.0) == 0
    assert rate.take("anna", START + 1.0) == 1
    assert [rate.take("anna", START + 2 * MINUTE_S) for _ in range(61)] == [0] * 60 + [1]


def test_a_limit_of_zero_is_none() -> None:
    rate = Rate(0)
    assert {rate.take("anna", START) for _ in range(1000)} == {0}


def test_no_number_of_names_costs_more_memory_than_is_set() -> None:
    rate = Rate(1)
    for number in range(MOST_KNOWN + 10):
        rate.take(str(number), START)
    assert len(rate._forgotten) == MOST_KNOWN


@pytest.mark.parametrize("wrong", ["", "-1", "many", "1.5", "٣"])
def test_a_limit_that_is_no_number_is_refused_with_its_name(wrong: str) -> None:
    with pytest.raises(KullagerError, match=r"KULLAGER_API_READS: .* should be a whole number"):
        Limits.load({"KULLAGER_API_READS": wrong})
    assert Limits.load({"KULLAGER_API_STREAMS": "7"}) == Limits(streams=7)
