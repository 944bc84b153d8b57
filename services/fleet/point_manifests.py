"""The manifests of restore points beside the backups: there they outlive the global database."""

from __future__ import annotations

from services.settings import S3Settings, Settings


def bucket_settings(settings: Settings) -> list[S3Settings]:
    """How each bucket with backups is reached; none without backups."""
    backup = settings.backup
    return [
        S3Settings(
            endpoint=one.endpoint,
            region=one.region,
            bucket=one.bucket,
            access_key=backup.access_key,
            secret_key=backup.secret_key,
            cors_origins=(),
            versioning=False,
        )
        for one in backup.buckets
    ]
