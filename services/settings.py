"""Settings of every process, from the environment (`DOCSHARD_…`), made once at the edge.

Values, made by whoever starts a process and passed down: nothing below reads the environment.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from global_db.address import Login, NodeAddress, PoolLimits, ServerTls, SslMode
from services import production
from services.backup_settings import BackupSettings
from services.environment import FromEnvironment
from services.key_settings import KmsSettings, VaultSettings
from services.log_settings import LogSettings
from services.metrics_settings import MetricsSettings
from services.move_settings import MoveSettings
from services.s3_settings import S3Settings
from services.trace_settings import TraceSettings


class Environment(StrEnum):
    """How careful we have to be."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class DatabaseRole(StrEnum):
    """The roles that log in to a cluster; each has one password, the same on every cluster."""

    APP = "docshard_app"
    WORKER = "docshard_worker"
    ADMIN = "docshard_admin"
    MOVER = "docshard_mover"


class KeyProviderName(StrEnum):
    """What guards data keys; written beside each key that it wrapped."""

    LOCAL_FILE = "local-file"
    AWS_KMS = "aws-kms"
    VAULT_TRANSIT = "vault-transit"


class SettingMissing(Exception):
    """A setting that this process needs is not in the environment."""

    def __init__(self, variable: str, needed_for: str) -> None:
        super().__init__(f"{variable} is not set; it is needed for {needed_for}")


class Limits(FromEnvironment):
    """What one request may cost."""

    max_json_body_bytes: int = Field(default=1024**2, gt=0)
    max_content_bytes: int = Field(default=5 * 1024**3, gt=0)
    body_timeout_seconds: float = Field(default=30.0, gt=0)
    """For a JSON body: until its last byte. For content: the longest silence between chunks."""
    requests_per_second_per_principal: int = Field(default=50, gt=0)
    requests_per_second_per_client: int = Field(default=200, gt=0)
    password_threads: int = Field(default=2, ge=1)
    """Passwords hashed at a time by one process: each takes 46 MiB and about 0.2 s."""
    max_waiting_passwords: int = Field(default=32, ge=0)
    presigned_seconds: int = Field(default=60, ge=1, le=7 * 24 * 3600)
    upload_hours: int = Field(default=24, ge=1, le=7 * 24)
    """How long an upload may take, and its presigned addresses last: S3 allows seven days."""
    multipart_bytes: int = Field(default=64 * 1024**2, ge=0)
    """Uploads larger than this come in parts."""
    part_bytes: int = Field(default=32 * 1024**2, ge=5 * 1024**2)
    """The size of a part; at least 5 MiB, larger when S3 would not take so many."""
    purge_after_days: int = Field(default=35, ge=0)
    """How far back a shard can be restored: blobs of purged documents are kept that long."""
    purge_margin_days: int = Field(default=1, ge=0)
    """Kept longer than that, by so many days."""


class PoolSettings(FromEnvironment):
    """Connections of one process to one node (`DOCSHARD_POOL_…`)."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_POOL_", frozen=True, extra="forbid")

    min_size: int = Field(default=1, ge=0)
    max_size: int = Field(default=10, ge=1)
    max_waiting: int = Field(default=200, ge=1)
    wait_seconds: float = Field(default=2.0, gt=0)

    def limits(self) -> PoolLimits:
        """The same as the database layer's own value."""
        return PoolLimits(self.min_size, self.max_size, self.max_waiting, self.wait_seconds)


class Timing(FromEnvironment):
    """Leases of what a process remembers, and the patience of a request."""

    placement_lease_seconds: float = Field(default=2.0, gt=0)
    principal_lease_seconds: float = Field(default=4.0, gt=0, le=5)
    """How long a verified principal is trusted without asking the global database again."""
    outage_seconds: float = Field(default=300.0, ge=0, le=3600)
    """While the global database is away, a principal that was verified and a placement that was
    read are trusted for so long: so long a revocation, a suspension, may go unnoticed."""
    settle_seconds: float = Field(default=5.0, ge=0, le=30)
    """How long a change whose COMMIT got lost is looked up, where it can be."""
    fence_wait_seconds: float = Field(default=2.0, ge=0)
    access_token_seconds: int = Field(default=600, ge=30, le=3600)


class ReadSettings(FromEnvironment):
    """Which server answers a tenant's reads (`DOCSHARD_READ_…`)."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_READ_", frozen=True, extra="forbid")

    max_staleness: dict[str, float] = Field(default_factory=dict)
    """Seconds that a replica may be behind when it answers, by operation (`list_documents`) or by
    permission (`audit:read`); 0 sends to the primary. Added to the table of `staleness_of`."""
    token_max_staleness_seconds: float = Field(default=5.0, ge=0)
    """With a Consistency-Token a replica that has the write answers, when it is not farther behind:
    others' writes, and moves, are not missed for longer. 0 sends to the primary."""

    def staleness_of(self, operation: str, permission: str) -> float | None:
        """How far behind a replica may be; None: the primary answers.

        The operation's own entry counts, else its permission's: what is configured before the
        defaults, by which audit and reports come from replicas and the rest from the primary.
        """
        return _first((self.max_staleness, _REPLICA_READS), (operation, permission))

    def staleness_of_directory(self, operation: str, permission: str) -> float | None:
        """The same for the global database: there is no token of a write to it, so it is read from
        replicas where that is configured, and by default from the primary."""
        return _first((self.max_staleness,), (operation, permission))


def _first(tables: Sequence[Mapping[str, float]], names: Sequence[str]) -> float | None:
    return next((table[name] for table in tables for name in names if name in table), 0) or None


_REPLICA_READS: Mapping[str, float] = {"audit:read": 5.0, "report:read": 5.0}


class SessionSettings(FromEnvironment):
    """How long sessions and links last, and how patient we are with guessers."""

    session_days: int = Field(default=30, ge=1, le=90)
    """A session ends so long after its login, however often it was refreshed."""
    refresh_grace_seconds: float = Field(default=10.0, ge=0, le=60)
    """A refresh token that was just replaced gets the same answer again: the first may be lost."""
    recent_login_seconds: int = Field(default=600, ge=30)
    """What changes how one gets in needs a login that is not older."""
    password_link_hours: int = Field(default=24, ge=1, le=72)
    free_login_failures_per_account: int = Field(default=10, ge=1)
    free_login_failures_per_address: int = Field(default=50, ge=1)
    longest_login_delay_seconds: int = Field(default=900, ge=1)


class AuditSettings(FromEnvironment):
    """What becomes of old audit rows (`DOCSHARD_AUDIT_…`)."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_AUDIT_", frozen=True, extra="forbid")

    keep_months: int = Field(default=24, ge=0)
    """Whole months that stay in the databases, besides the present one; older ones are archived to
    the object store. 0: all stay."""


class Settings(FromEnvironment):
    """Everything a router, a worker or a command needs to know of its surroundings."""

    env: Environment = Environment.DEVELOPMENT
    global_nodes: tuple[NodeAddress, ...] = Field(min_length=1)
    database: str = "docshard"
    database_sslmode: SslMode = "prefer"
    """How servers and poolers on other hosts are spoken to, in libpq's words; this host's own offer
    what they offer. In production `verify-full`."""
    database_sslrootcert: Path | None = None
    """Who signed their certificates. Servers read it at the same path: in a move one subscribes to
    another."""
    app_password: SecretStr | None = None
    """Of the router's role `docshard_app`; the next ones are the worker's, operators', moves'."""
    worker_password: SecretStr | None = None
    admin_db_password: SecretStr | None = None
    mover_password: SecretStr | None = None
    key_provider: KeyProviderName | None = None
    key_file: Path | None = None
    kms: KmsSettings = Field(default_factory=KmsSettings)
    vault: VaultSettings = Field(default_factory=VaultSettings)
    issuer: str = "docshard"
    s3: S3Settings = Field(default_factory=S3Settings)
    limits: Limits = Field(default_factory=Limits)
    pool: PoolSettings = Field(default_factory=PoolSettings)
    timing: Timing = Field(default_factory=Timing)
    sessions: SessionSettings = Field(default_factory=SessionSettings)
    audit: AuditSettings = Field(default_factory=AuditSettings)
    reads: ReadSettings = Field(default_factory=ReadSettings)
    moves: MoveSettings = Field(default_factory=MoveSettings)
    backup: BackupSettings = Field(default_factory=BackupSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    traces: TraceSettings = Field(default_factory=TraceSettings)

    @model_validator(mode="after")
    def _refuse_what_production_forbids(self) -> Self:
        """Raises ProductionRefused itself: no validation error, which would be told differently."""
        if self.env is Environment.PRODUCTION:
            local = self.key_file is not None or self.key_provider is KeyProviderName.LOCAL_FILE
            production.check(
                production.Claims(
                    secrets=self._secrets(),
                    keys_in_a_file=local,
                    nodes=self.global_nodes,
                    sslmode=self.database_sslmode,
                )
            )
        return self

    def _secrets(self) -> dict[str, str]:
        known = {
            "DOCSHARD_APP_PASSWORD": self.app_password,
            "DOCSHARD_WORKER_PASSWORD": self.worker_password,
            "DOCSHARD_ADMIN_DB_PASSWORD": self.admin_db_password,
            "DOCSHARD_MOVER_PASSWORD": self.mover_password,
            "DOCSHARD_S3_SECRET_KEY": self.s3.secret_key,
            "DOCSHARD_BACKUP_SECRET_KEY": self.backup.secret_key,
            "DOCSHARD_BACKUP_DB_PASSWORD": self.backup.db_password,
            "DOCSHARD_METRICS_TOKEN": self.metrics.token,
        }
        return {name: given.get_secret_value() for name, given in known.items() if given}

    def tls(self) -> ServerTls:
        """How servers are spoken to; in production shards, too, prove who they are."""
        strict = self.env is Environment.PRODUCTION
        return ServerTls(
            "verify-full" if strict else self.database_sslmode, self.database_sslrootcert
        )

    def login(self, role: DatabaseRole) -> Login:
        """Who this process is on every cluster.

        Raises:
            SettingMissing: the role's password is not in the environment.
        """
        variable, password = {
            DatabaseRole.APP: ("DOCSHARD_APP_PASSWORD", self.app_password),
            DatabaseRole.WORKER: ("DOCSHARD_WORKER_PASSWORD", self.worker_password),
            DatabaseRole.ADMIN: ("DOCSHARD_ADMIN_DB_PASSWORD", self.admin_db_password),
            DatabaseRole.MOVER: ("DOCSHARD_MOVER_PASSWORD", self.mover_password),
        }[role]
        if password is None:
            raise SettingMissing(variable, f"the database role {role.value}")
        serves = role in (DatabaseRole.APP, DatabaseRole.WORKER)
        return Login(role.value, password.get_secret_value(), self.database, serves, self.tls())

    def chosen_key_provider(self) -> KeyProviderName:
        """What wraps data keys: in development a local file unless told otherwise.

        Raises:
            SettingMissing: production has no default.
        """
        if self.key_provider is not None:
            return self.key_provider
        if self.env is Environment.PRODUCTION:
            raise SettingMissing("DOCSHARD_KEY_PROVIDER", "unwrapping data keys in production")
        return KeyProviderName.LOCAL_FILE

    def require_key_file(self) -> Path:
        """The local key file. Raises SettingMissing."""
        if self.key_file is None:
            raise SettingMissing("DOCSHARD_KEY_FILE", "unwrapping data keys")
        return self.key_file
