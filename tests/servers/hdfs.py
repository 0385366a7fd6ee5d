"""HDFS of two processes: a NameNode and a DataNode."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.servers.process import CACHE, Process, free_port, temporary_folder

_JARS = CACHE / "hdfs" / "lib"
_JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"]
_NODE = "org.apache.hadoop.hdfs.server"


class Hdfs:
    """Attributes:
    name_node, data_node: the processes.
    uri: ``hdfs://host:port``.
    """

    def __init__(self) -> None:
        if not _JARS.exists():
            pytest.skip("hdfs is not installed (tests/servers/install.sh)")
        self.folder = temporary_folder("hdfs")
        ports = [free_port() for _ in range(5)]
        self.uri = f"hdfs://127.0.0.1:{ports[0]}"
        self._web = f"http://127.0.0.1:{ports[1]}"
        self._configure(ports)
        subprocess.run([*self._java("namenode.NameNode"), "-format", "-nonInteractive"], check=True, **self._run())
        self.name_node = Process("namenode", self._java("namenode.NameNode"), self._answers, self.folder)
        try:
            self.data_node = Process("datanode", self._java("datanode.DataNode"), self._has_data_node, self.folder)
        except BaseException:
            self.name_node.stop()
            raise

    def _configure(self, ports: list[int]) -> None:
        conf = self.folder / "conf"
        for part in ("hdfs", "datanode", "static"):
            (conf / "webapps" / part).mkdir(parents=True)
        names = ["dfs.namenode.rpc-address", "dfs.namenode.http-address"]
        names += [f"dfs.datanode.{name}" for name in ("address", "http.address", "ipc.address")]
        keys = {
            "fs.defaultFS": self.uri,
            **{name: f"127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)},
            "dfs.datanode.hostname": "127.0.0.1",
            "dfs.namenode.name.dir": f"file://{self.folder}/name",
            "dfs.datanode.data.dir": f"file://{self.folder}/data",
            "dfs.replication": "1",
            "dfs.namenode.datanode.registration.ip-hostname-check": "false",
            "dfs.namenode.safemode.extension": "0",
            "hadoop.tmp.dir": f"{self.folder}/tmp",
        }
        properties = "".join(f"<property><name>{k}</name><value>{v}</value></property>" for k, v in keys.items())
        for name in ("core-site.xml", "hdfs-site.xml"):
            (conf / name).write_text(f"<configuration>{properties}</configuration>")
        (conf / "log4j.properties").write_text(
            "log4j.rootLogger=WARN,A\nlog4j.appender.A=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.A.layout=org.apache.log4j.SimpleLayout\n"
        )

    def _java(self, main: str) -> list[str]:
        return [*_JAVA, "-cp", f"{self.folder / 'conf'}{os.pathsep}{_JARS}/*", f"{_NODE}.{main}"]

    def _answers(self) -> bool:
        return self._live() is not None

    def _has_data_node(self) -> bool:
        return self._live() == 1

    def _live(self) -> int | None:
        """How many DataNodes the NameNode knows."""
        address = f"{self._web}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState"
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                beans = json.load(answer)["beans"]
        except OSError:
            return None
        return int(beans[0]["NumLiveDataNodes"]) if beans else None

    def _run(self) -> dict[str, object]:
        return {"cwd": self.folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def stop(self) -> None:
        self.data_node.stop()
        self.name_node.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def put(uri: str, path: Path) -> str:
    """Copies a file into HDFS, under its own name; gives the address."""
    import fsspec

    # a forked process would end the client's threads, which it does not have, with fsspec's cache of clients, and wait
    filesystem, folder = fsspec.url_to_fs(uri, skip_instance_cache=True)
    filesystem.makedirs(folder, exist_ok=True)
    filesystem.put_file(str(path), f"{folder.rstrip('/')}/{path.name}")
    return f"{uri.rstrip('/')}/{path.name}"
