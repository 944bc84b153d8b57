"""SeaweedFS as an S3 server of one process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from deploy.fleet.model import Address

INNER_PORTS: Mapping[str, int] = {
    "master": 9333,
    "volume": 9340,
    "filer": 8888,
    "admin": 23646,
}
"""Where its parts listen on a host of its own, by part; each takes the port 10,000 above, too."""
MEMORY = "400MiB"
"""For GOMEMLIMIT. At 200 MiB its garbage collector never rests: 13 % of a core while idle."""


def weed_options(
    address: Address, data: PurePath, identities: PurePath, inner: Mapping[str, int] = INNER_PORTS
) -> list[str]:
    """The words behind the program's name; telemetry and side doors are off."""
    return [
        "mini",
        f"-dir={data}",
        f"-ip={address.host}",
        f"-ip.bind={address.host}",
        "-master.telemetry=false",
        f"-master.port={inner['master']}",
        f"-volume.port={inner['volume']}",
        f"-filer.port={inner['filer']}",
        f"-s3.port={address.port}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-webdav=false",
        "-admin.ui=false",
        f"-admin.port={inner['admin']}",
        f"-s3.config={identities}",
    ]
