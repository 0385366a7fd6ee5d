"""Azure's store, through adlfs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from dlbd.data.errors import missing
from dlbd.data.stores.store import Store, arrow, connected

try:
    from adlfs import AzureBlobFileSystem
    from azure.storage.blob.aio import BlobServiceClient, LinearRetry
except ImportError as error:
    raise missing("azure", error) from error

_BLOCK_BYTES = 8 << 20

logging.getLogger("azure").addHandler(logging.NullHandler())  # it prints the errors that it raises


def connect(address: str, options: Mapping[str, Any], timeout: float) -> Store:
    """Options are those of ``adlfs.AzureBlobFileSystem``."""
    bounds: dict[str, Any] = {"connection_timeout": min(timeout / 4, 5), "read_timeout": timeout / 4}
    bounds |= {key: options[key] for key in bounds if key in options}
    filesystem, path = connected(AzureBlobFileSystem, address, {"use_listings_cache": False, **options})
    made = filesystem.service_client  # adlfs passes no bounds on: it would wait for minutes
    filesystem.service_client = BlobServiceClient(
        made.url,
        credential=made.credential,
        retry_policy=LinearRetry(backoff=1, retry_total=2, random_jitter_range=0),
        **bounds,
    )
    return Store(arrow(filesystem, cache_type="readahead", block_size=_BLOCK_BYTES), path, _secrets(filesystem))


def _secrets(filesystem: AzureBlobFileSystem) -> list[str]:
    """Also those that came from the environment."""
    parts = (filesystem.connection_string or "").split(";")
    named = dict(part.partition("=")[::2] for part in parts)
    own = (filesystem.account_key, filesystem.sas_token, filesystem.client_secret, filesystem.credential)
    in_text = (named.get("AccountKey"), named.get("SharedAccessSignature"))
    return [secret for secret in (filesystem.connection_string, *own, *in_text) if isinstance(secret, str) and secret]
