"""The table of a fleet file that says where blobs lie, and who serves them there."""

from __future__ import annotations

from deploy.fleet.model import Part
from deploy.fleet.sections import FilePath, Host, Name, Port


class StorageServer(Part):
    """A SeaweedFS of one's own on the storage's host: one process, and no second copy.

    `identities` is its file of keys, `environment` one with WEED_S3_SSE_KEY, which enciphers what
    it writes. `certificate` and `key` are what S3 shows; the ports of its parts ask nobody who they
    are, and belong behind a firewall.
    """

    program: FilePath = "/usr/bin/weed"
    user: Name = "seaweedfs"
    data: FilePath = "/var/lib/docshard/s3"
    identities: FilePath = "/etc/docshard/s3/identities.json"
    environment: FilePath = "/etc/docshard/s3/s3.env"
    certificate: FilePath
    key: FilePath


class StorageSection(Part):
    """Where blobs lie.

    `authority` is needed for a store whose certificate the system does not know, `server` where it
    is to be run by this fleet.
    """

    host: Host
    port: Port = 443
    bucket: Name
    region: Name
    authority: FilePath | None = None
    server: StorageServer | None = None
