"""What a page of a list or a search costs at a million documents: `python -m loadtests.bench.search`.

The pages are asked for over HTTP, as tenants ask for them, in the largest tenant and in one of the
usual size. What is reported is the time in the database, as the answer's Server-Timing says it: all
statements of the page together, with planning.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from uuid import UUID

import click
import httpx
import psycopg

from loadtests.bench.fleet import NoFleet, Shard, throwaway_shard
from loadtests.bench.library import Library, fill
from loadtests.results import aligned
