"""Reading request bodies: never more than the limit, never longer than patience lasts."""

import asyncio
import time
from dataclasses import dataclass

from starlette.types import Message, Receive

from router.settings import RouterSettings
from services.errors import ContentTooLarge, RequestTimeout
from services.settings import Limits


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What one body may take: bytes, and seconds spent waiting for them."""

    max_bytes: int
    grace_seconds: float
    min_bytes_per_second: int | None = None
    """Each so many bytes that have arrived earn another second; None: the grace is all."""

    def patience(self, received: int, waited: float) -> float:
        """Seconds that the next piece may still take."""
        earned = received / self.min_bytes_per_second if self.min_bytes_per_second else 0.0
        return self.grace_seconds + earned - waited

    def too_large(self) -> ContentTooLarge:
        """Make the error that names the limit."""
        return ContentTooLarge(f"The body may have at most {self.max_bytes} bytes.")

    @classmethod
    def for_json(cls, limits: Limits) -> "BodyLimits":
        """Limits of a JSON body."""
        return cls(limits.max_json_body_bytes, limits.body_timeout_seconds)

    @classmethod
    def for_content(cls, limits: Limits, settings: RouterSettings) -> "BodyLimits":
        """Limits of streamed content."""
        return cls(
            limits.max_content_bytes,
            limits.body_timeout_seconds,
            settings.content_min_bytes_per_second,
        )


class BoundedReceive:
    """An ASGI receive that holds `limits`. Time the application spends elsewhere is not counted."""

    def __init__(self, receive: Receive, limits: BodyLimits) -> None:
        self._receive = receive
        self._limits = limits
        self._received = 0
        self._waited = 0.0

    async def __call__(self) -> Message:
        """Give the next message.

        Raises:
            ContentTooLarge: more bytes came than the limit allows.
            RequestTimeout: they took too long.
        """
        message = await self._next()
        self._received += len(message.get("body", b""))
        if self._received > self._limits.max_bytes:
            raise self._limits.too_large()
        return message

    async def _next(self) -> Message:
        patience = self._limits.patience(self._received, self._waited)
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(patience, 0)):
                return await self._receive()
        except TimeoutError:
            raise RequestTimeout from None
        finally:
            self._waited += time.monotonic() - began
