"""What the engines hold: the bucket, both schemas, registered shards, accounts, demo tenants."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from deploy.demo.seed import seed
from deploy.errors import OperatorError
from deploy.fleet.environment import node_addresses, render_environment, service_environment
from deploy.local.checklist import Line
from deploy.local.home import write_private
from deploy.local.secrets import DemoSecret, credentials, save_demo
from deploy.local.servers import Site
from services import errors
from services.access.first_admin import init_admin
from services.blobs.bucket_setup import Outcome
from services.fleet import buckets, migrate
from services.fleet.migrate import Migrated
from services.fleet.shards import NodeAddress, register_shard
from services.resources import Data, open_data, open_resources
from services.settings import DatabaseRole, Settings


class Contents:
    """Puts into running engines what the services need; safe to repeat."""

    def __init__(self, site: Site) -> None:
        self._site = site
        variables = service_environment(
            site.state.fleet, credentials(site.home, site.secrets), site.state.data
        )
        write_private(site.home.service_env, render_environment(variables))
        # Settings come from the environment; ours is that of the fleet we bring up, whatever the
        # caller's shell was set for.
        os.environ.update(variables)
        self.settings = Settings()

    async def make_buckets(self) -> None:
        """Make the bucket of blobs, its copy, and those of backups what they should be.

        Raises:
            OperatorError: the store refuses.
        """
        steps = await buckets.prepare(self.settings)
        refused = [one for one in steps if one.outcome is Outcome.REFUSED]
        if refused:
            told = "\n".join(f"{one.bucket}, {one.what}: {one.why}" for one in refused)
            raise OperatorError("A bucket is not what it should be.", told)

    async def migrate(self) -> str:
        """Bring every schema to this code and register the shards; says what changed.

        Raises:
            OperatorError: a database could not be migrated.
        """
        async with open_data(self.settings, DatabaseRole.ADMIN) as data:
            outcomes = [await migrate.up_global(data)]
            _refuse_failures(outcomes)
            removed = [name async for name in self._register(data)]
            outcomes += await migrate.up(data)
        _refuse_failures(outcomes)
        changed = [outcome.name for outcome in outcomes if outcome.before != outcome.after]
        told = [f"migrated {', '.join(changed)}"] if changed else []
        # A removal that broke off has left its servers: they serve nobody, and hold nobody up.
        told += [f"{name} was removed: repeat `docshard shard remove {name}`" for name in removed]
        return "; ".join(told)

    async def make_operator(self) -> None:
        """Make the first administrator unless there is one."""
        secrets = self._site.secrets
        async with open_resources(self.settings, DatabaseRole.ADMIN) as resources:
            try:
                await init_admin(resources, secrets.admin_email, secrets.admin_password)
            except errors.EmailTaken:
                return

    async def seed_demo(self, line: Line) -> None:
        """Fill the fleet with demo tenants and keep the key of the largest."""

        def report(done: int, total: int) -> None:
            line.note = f"{done} of {total} documents"

        secrets = self._site.secrets
        result = await seed(
            self._site.state.fleet.api, secrets.admin_email, secrets.admin_password, report
        )
        save_demo(self._site.home, DemoSecret(client_id=str(result.client_id), key=result.key))

    async def _register(self, data: Data) -> AsyncIterator[str]:
        """Register every shard of the model; yields those that were removed for ever."""
        for shard in self._site.state.fleet.shards:
            nodes = [NodeAddress.model_validate(node) for node in node_addresses(shard)]
            try:
                await register_shard(data, shard.name, nodes)
            except errors.Conflict:
                yield shard.name


def _refuse_failures(outcomes: list[Migrated]) -> None:
    failed = [f"{outcome.name}: {outcome.error}" for outcome in outcomes if outcome.error]
    if failed:
        raise OperatorError(
            "A schema could not be migrated.",
            "\n".join(failed),
            "Mend the cause and run `docshard up` again: what is migrated stays so.",
        )
