"""What the routes of one worker share."""

from dataclasses import dataclass

from router.bodies import BodyLimits
from router.figures_page import FiguresPage
from router.limits import Limiter
from router.settings import RouterSettings
from services.access.denials import Denials
from services.resources import Resources
from services.tenant.feed import Feed
from services.tenant.reads import ReadLog
from services.tenant.reports import Reports


@dataclass(frozen=True, slots=True)
class Edge:
    """Resources behind the edge, and its own limits."""

    resources: Resources
    json_limits: BodyLimits
    content_limits: BodyLimits
    principals: Limiter
    clients: Limiter
    denials: Denials
    send_patience_seconds: float
    reads: ReadLog
    feed: Feed
    reports: Reports
    page: FiguresPage


@dataclass(frozen=True, slots=True)
class Opened:
    """What a worker has opened for its routes: it lives as long as the worker."""

    resources: Resources
    reads: ReadLog
    feed: Feed
    page: FiguresPage


def make_edge(opened: Opened, settings: RouterSettings) -> Edge:
    """Give one worker its part of the limits."""
    resources = opened.resources
    limits = resources.settings.limits

    def limiter(policy: str, per_second: int) -> Limiter:
        return Limiter(policy, per_second, settings.buckets, settings.router_workers)

    return Edge(
        resources=resources,
        json_limits=BodyLimits.for_json(limits),
        content_limits=BodyLimits.for_content(limits, settings),
        principals=limiter("principal", limits.requests_per_second_per_principal),
        clients=limiter("client", limits.requests_per_second_per_client),
        denials=Denials(settings.denial_kinds),
        send_patience_seconds=settings.send_patience_seconds,
        reads=opened.reads,
        feed=opened.feed,
        reports=Reports(),
        page=opened.page,
    )
