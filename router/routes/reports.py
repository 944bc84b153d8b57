"""Reports on a tenant."""

from dataclasses import asdict
from typing import Any

from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models import examples
from router.models.reports import UsageReportShown
from router.parameters import ClientId
from router.routes.clients import CLIENT
from router.security import Tenant

api = Api("Reports")


@api.route(
    "GET",
    f"{CLIENT}/reports/usage",
    Tenant("report:read"),
    Doc((Answer(200, "The report.", UsageReportShown, examples.USAGE_REPORT),)),
)
async def get_usage_report(call: Call, client_id: ClientId) -> dict[str, Any]:
    """Count what a client stores, by media type and by month, beside what it may store.

    Counting takes time in a large client, so an answer may be up to 60 seconds old; `as_of` says of
    when it is. Limits are those of now.
    """
    report, quota = await call.edge.reports.usage(call.resources, call.tenant), call.tenant.quota
    return {
        "as_of": report.as_of,
        "limits": {
            "documents": quota.max_documents,
            "bytes": quota.max_bytes,
            "requests_per_second": quota.requests_per_second,
        },
        "total": report.total,
        "by_mime_type": [{"mime_type": name, **asdict(sum_)} for name, sum_ in report.by_mime_type],
        "by_month": [{"month": f"{month:%Y-%m}", **asdict(s)} for month, s in report.by_month],
    }
