"""What a subscription brings, in order and whole: several requests wait at the server, and what is missing is asked for again.

A server can only send when a PublishRequest of the client waits there (part 4, 5.14.5). With one it has nothing to answer
with while the last answer is on its way and being taken, and its queues fill; so some are kept outstanding. A message is
acknowledged when it has been taken; until then the server keeps it, and gives it again by its number (Republish, 5.14.6).
"""

import asyncio
import logging
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from asyncua import Client, ua
from asyncua.ua.uaerrors import BadNoSubscription, BadTimeout, BadTooManyPublishRequests, UaStructParsingError

from edge.data_acquisition.account import SourceAccount

logger = logging.getLogger(__name__)

OUTSTANDING: Final = 3
# a greater leap of the numbers is no loss, but another count
MOST_MISSING: Final = 1000
LAST_NUMBER: Final = 0xFFFF_FFFF
WAIT_S: Final = 1.0
# what decoding raises on what a server should not send
_UNDECODABLE: Final = (ua.UaError, struct.error, ValueError, TypeError, LookupError, OverflowError)

Take = Callable[[ua.NotificationMessage], Awaitable[None]]


class Publishing:
    """One subscription. `note` takes what an operator may want to know."""

    def __init__(self, client: Client, account: SourceAccount, note: Callable[[str], None]) -> None:
        self._session, self._account, self._note = client.uaclient.session, account, note
        self._subscription = 0
        self._most = OUTSTANDING
        self._open: set[asyncio.Task[Any]] = set()
        self._arrived: asyncio.Queue[asyncio.Task[Any]] = asyncio.Queue()
        self._taken: list[ua.SubscriptionAcknowledgement] = []
        self._sequence: int | None = None
        # numbers that were got by asking again, should they come after all
        self._fetched: deque[int] = deque(maxlen=MOST_MISSING)

    async def subscribe(self, parameters: ua.CreateSubscriptionParameters) -> ua.CreateSubscriptionResult:
        """Create the subscription. asyncua's own call would begin to publish by itself, with one request."""
        request = ua.CreateSubscriptionRequest()
        request.Parameters = parameters
        answer = await self._session._send_request(request)
        response = ua.ua_binary.struct_from_binary(ua.CreateSubscriptionResponse, answer)
        response.ResponseHeader.ServiceResult.check()
        self._subscription = response.Parameters.SubscriptionId
        return response.Parameters

    async def run(self, take: Take) -> str:
        """Hand each message to `take`, in order; ends with the reason when the server has ended the subscription.

        Raises what the connection raises when it is lost.
        """
        try:
            while True:
                while len(self._open) < self._most:
                    self._ask()
                asked = await self._arrived.get()
                try:
                    response = asked.result()
                except UaStructParsingError as error:
                    self._account.reject("undecodable")
                    self._note(f"the server sent what cannot be decoded: {error.__cause__ or error}")
                    # its number is not known, and it would be no better the second time
                    self._sequence = None
                except BadTooManyPublishRequests:
                    self._most = max(1, len(self._open))
                    if not self._open:
                        await asyncio.sleep(WAIT_S)
                except BadTimeout:
                    pass
                except BadNoSubscription:
                    return "the server has ended the subscription"
                else:
                    while len(self._open) < self._most:
                        self._ask()
                    await self._in_order(response.Parameters, take)
        finally:
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    def _ask(self) -> None:
        taken, self._taken = self._taken, []
        task = asyncio.create_task(self._session.publish(taken), name="publish request")
        self._open.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[Any]) -> None:
        self._open.discard(task)
        if not task.cancelled():
            # looked at even when nobody takes it any more, or asyncio would complain
            task.exception()
            self._arrived.put_nowait(task)

    async def _in_order(self, result: ua.PublishResult, take: Take) -> None:
        """Take a message, and before it what is missing."""
        message = result.NotificationMessage
        if result.SubscriptionId != self._subscription:
            logger.debug("a message of subscription %s, which is not ours", result.SubscriptionId)
            return
        if not message.NotificationData:
            # a sign of life
            await take(message)
            return
        number = message.SequenceNumber
        if self._sequence is not None:
            missing = (number - self._sequence - 1) % LAST_NUMBER
            if 0 < missing <= MOST_MISSING:
                await self._fetch([(self._sequence + k) % LAST_NUMBER + 1 for k in range(missing)], result, take)
            elif missing >= LAST_NUMBER - MOST_MISSING:
                # it was overtaken on its way
                if number not in self._fetched:
                    await self._take(message, take)
                return
            elif missing:
                self._account.reject("sequence-gap")
        self._sequence = number
        await self._take(message, take)

    async def _take(self, message: ua.NotificationMessage, take: Take) -> None:
        await take(message)
        self._taken.append(ua.SubscriptionAcknowledgement(self._subscription, message.SequenceNumber))

    async def _fetch(self, numbers: list[int], result: ua.PublishResult, take: Take) -> None:
        """Ask again for messages that have not come; those that the server has no more are lost, and counted."""
        kept = set(result.AvailableSequenceNumbers or ())
        for number in numbers:
            try:
                message = await self._session.republish(self._subscription, number) if number in kept else None
            except TimeoutError:
                raise
            except ua.UaStatusCodeError:
                message = None
            except _UNDECODABLE as error:
                self._account.reject("undecodable")
                self._note(f"the server sent what cannot be decoded: {error}")
                continue
            if message is None or message.SequenceNumber != number:
                self._account.reject("sequence-gap")
                continue
            self._fetched.append(number)
            await self._take(message, take)
