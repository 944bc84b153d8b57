"""What the engines hold: the bucket, both schemas, registered shards, accounts, demo tenants."""

from __future__ import annotations

from deploy.demo.seed import seed
from deploy.local.checklist import Line
from deploy.local.secrets import DemoSecret, save_demo
from deploy.local.servers import Site


class Contents:
    """Puts into running engines what the services need; safe to repeat."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def make_bucket(self) -> None:
        """Make the bucket unless it is there."""

    async def migrate(self) -> str:
        """Bring every schema to this code and register the shards; says what changed."""
        return ""

    async def make_operator(self) -> None:
        """Make the first administrator unless there is one."""

    async def seed_demo(self, line: Line) -> None:
        """Fill the fleet with demo tenants and keep the key of the largest."""

        def report(done: int, total: int) -> None:
            line.note = f"{done} of {total} documents"

        secrets = self._site.secrets
        result = await seed(
            self._site.state.fleet.api, secrets.admin_email, secrets.admin_password, report
        )
        save_demo(self._site.home, DemoSecret(client_id=str(result.client_id), key=result.key))
