"""S3, through pyarrow's own client: its reads end in time, and it tells a dead server from a missing file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pyarrow.fs as fs

from dlbd.data.stores.store import Store


def connect(address: str, options: Mapping[str, Any], timeout: float) -> Store:
    """Options are those of pyarrow's ``S3FileSystem``."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")  # pyarrow passes over them
    defaults: dict[str, Any] = {
        "endpoint_override": endpoint,
        "connect_timeout": min(timeout / 4, 5),
        "request_timeout": timeout / 4,  # of silence; all attempts end before our own deadline
        "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=3),
    }
    if "AWS_CA_BUNDLE" in os.environ:  # the same
        defaults["tls_ca_file_path"] = os.environ["AWS_CA_BUNDLE"]
    return Store(fs.S3FileSystem(**{**defaults, **options}), address.removeprefix("s3://").rstrip("/"))
