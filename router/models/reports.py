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


class UsageReportShown(Shown):
    """What a client stores, as it was at `as_of`.

    At most 120 types, those of the most bytes, and the newest 120 months: what is missing to
    `total` belongs to the others.
    """

    as_of: datetime
    total: UsageShown
    by_mime_type: list[UsageOfTypeShown]
    by_month: list[UsageOfMonthShown]
