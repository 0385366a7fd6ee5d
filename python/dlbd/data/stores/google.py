"""Google's store, through gcsfs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from dlbd.data.errors import missing
from dlbd.data.stores.store import Store, arrow, connected

try:
    import aiohttp
    from gcsfs.core import GCSFileSystem
    from gcsfs.retry import retry_request
except ImportError as error:
    raise missing("gcs", error) from error

_BLOCK_BYTES = 8 << 20

logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # it prints the errors that it raises


class _FileSystem(GCSFileSystem):  # type: ignore[misc]
    """Asks three times, as the client of S3: gcsfs asks for half a minute, with refused credentials too. The class that
    it gives by default asks over gRPC besides, which not every network and server knows.
    """

    # only Google's own library asks the machine who may read: gcsfs asks again, for a quarter of a minute
    on_google = False
    _request = retry_request(retries=3)(GCSFileSystem._request.__wrapped__)


def connect(address: str, options: Mapping[str, Any], timeout: float) -> Store:
    """Options are those of ``gcsfs.GCSFileSystem``."""
    silence = aiohttp.ClientTimeout(total=None, sock_connect=min(timeout / 4, 5), sock_read=timeout / 4)
    given = {"use_listings_cache": False, "requests_timeout": silence, **options}  # gcsfs would wait for ever
    filesystem, path = connected(_FileSystem, address, given)
    return Store(arrow(filesystem, cache_type="readahead", block_size=_BLOCK_BYTES), path)
