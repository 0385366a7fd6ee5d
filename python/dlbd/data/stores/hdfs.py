"""HDFS, through hdfs-native, which waits for a NameNode without end: :func:`dlbd.data.scans.cut_off` ends that."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from dlbd.data.errors import SourceError, missing
from dlbd.data.scans import Server
from dlbd.data.stores.store import Store, arrow, connected

_PORT = 8020  # of a NameNode, where none is given


def connect(address: str, options: Mapping[str, Any], timeout: float) -> Store:
    """Options are Hadoop's settings; they go before those in its files."""
    try:
        from hdfs_native.fsspec import HdfsFileSystem  # whoever needs :func:`name_nodes` only may lack it
    except ImportError as error:
        raise missing("hdfs", error) from error
    bounds = {
        "dfs.client.socket-timeout": str(int(timeout * 500)),
        "dfs.client.failover.max.attempts": "3",
        "dfs.client.failover.sleep.base.millis": "100",
    }
    host, port = _place(address, {**_settings(), **options})
    filesystem, path = connected(HdfsFileSystem, address, {**bounds, **options, "host": host, "port": port})
    return Store(arrow(filesystem), path or "/")


def name_nodes(address: str, options: Mapping[str, Any]) -> list[Server]:
    """The NameNodes that an address means: one, or those that the settings list for a name of the cluster's."""
    if not address.startswith("hdfs://"):
        return []
    settings = {**_settings(), **options}
    host, port = _place(address, settings)
    if host is None:
        return []
    if port is not None:
        return [(host, port)]
    names = str(settings[f"dfs.ha.namenodes.{host}"]).split(",")
    listed = [settings.get(f"dfs.namenode.rpc-address.{host}.{name.strip()}") for name in names]
    nodes = [urlsplit(f"//{one}") for one in listed if one]
    return [(str(node.hostname), node.port or _PORT) for node in nodes]


def _place(address: str, settings: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """Host and port; a name of the cluster's has no port, and without a default of the cluster's there is no host."""
    place = urlsplit(address)
    if place.hostname is None:
        place = urlsplit(str(settings.get("fs.defaultFS", "")))
        if place.scheme != "hdfs":
            return None, None
    if place.port is None and place.hostname and f"dfs.ha.namenodes.{place.hostname}" not in settings:
        return place.hostname, _PORT
    return place.hostname, place.port


def _settings() -> dict[str, str]:
    """Those in Hadoop's files, which its clients look for in the same places."""
    folder, home = os.environ.get("HADOOP_CONF_DIR"), os.environ.get("HADOOP_HOME")
    if folder is None and home is None:
        return {}
    found: dict[str, str] = {}
    for name in ("core-site.xml", "hdfs-site.xml"):
        path = Path(folder or os.path.join(home or "", "etc", "hadoop"), name)
        if path.exists():
            try:
                properties = ElementTree.parse(path).getroot().iter("property")
            except ElementTree.ParseError as error:
                raise SourceError(f"{path}: {error}") from None
            found |= {p.findtext("name", "").strip(): p.findtext("value", "").strip() for p in properties}
    return found
