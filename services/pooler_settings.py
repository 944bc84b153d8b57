"""Passwords of the roles that poolers and those who watch them get in with."""

from collections.abc import Iterator

from pydantic import SecretStr

from services.environment import FromEnvironment


class PoolerPasswords(FromEnvironment):
    """What `docshard shard prepare` gives to the roles that no other process of ours logs in as."""

    pooler_password: SecretStr | None = None
    """Of `docshard_pooler`, as whom poolers ask servers for verifiers; in their auth_file."""
    probe_password: SecretStr | None = None
    """Of `docshard_probe`, who looks at poolers' consoles; in their auth_file."""

    def known(self) -> Iterator[tuple[str, str]]:
        """Each role that has one, with it."""
        if self.pooler_password is not None:
            yield "docshard_pooler", self.pooler_password.get_secret_value()
        if self.probe_password is not None:
            yield "docshard_probe", self.probe_password.get_secret_value()
