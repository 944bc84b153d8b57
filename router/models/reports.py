"""Reports on a tenant."""

from datetime import datetime

from pydantic import Field

from router.models.fields import Shown


class UsageShown(Shown):
    """What is stored. Deleted documents are not counted; their versions are, until a purge."""

    documents: int
    versions: int
    bytes: int = Field(description="Of all these versions.")


class UsageOfTypeShown(UsageShown):
    """What is stored of one media type."""

    mime_type: str


class UsageOfMonthShown(UsageShown):
    """What was created in one month (UTC) and is still stored."""

    month: str = Field(pattern=r"^\d{4}-\d{2}$")


class UsageLimitsShown(Shown):
    """What the client may use; null: operators have set no limit of its own.

    `documents` are the living ones, as in `total`, and `bytes` those of all versions, as there.
    """

    documents: int | None
    bytes: int | None
    requests_per_second: float | None = Field(
        description="In the place of all clients' limit; each answer's RateLimit has the rest."
    )


class UsageReportShown(Shown):
    """What a client stores, as it was at `as_of`, and what it may, as it is now.

    At most 120 types, those of the most bytes, and the newest 120 months: what is missing to
    `total` belongs to the others.
    """

    as_of: datetime
    limits: UsageLimitsShown
    total: UsageShown
    by_mime_type: list[UsageOfTypeShown]
    by_month: list[UsageOfMonthShown]
