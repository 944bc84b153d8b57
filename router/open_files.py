"""Open files: a connection is one, and a worker without any left hears no caller and no server."""

import resource
from typing import Final

_PART_OF_CALLERS: Final = 0.5


def take_open_files() -> int:
    """Take as many as the system allows this process and its children; answers how many.

    Shells and init systems give 1024 at first, which are fewer than a worker has places for; the
    hard limit is what the machine's owner means.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def places(wanted: int, open_files: int) -> int:
    """How many callers one worker lets in: connections to servers need files, too."""
    return min(wanted, int(open_files * _PART_OF_CALLERS))
