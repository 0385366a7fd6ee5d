"""Servers of the package pyspark: a cluster of a master and two workers of one core each; and Spark Connect."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyspark
from pyspark.sql import SparkSession

from tests.servers.process import Process, free_port, listens, temporary_folder

_HOME = Path(pyspark.__file__).parent
_SMALL = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
_PYTHONPATH = os.pathsep.join(path or os.getcwd() for path in sys.path)
_EXECUTOR = "480m"  # Spark refuses less than 450 MB


class Cluster:
    """A running cluster.

    Attributes:
        url: its master's.
        workers: each in a process group with its executors.
    """

    def __init__(self) -> None:
        self._folder = temporary_folder("spark")
        port = free_port()
        self.url = f"spark://127.0.0.1:{port}"
        command = ["-h", "127.0.0.1", "-p", str(port), "--webui-port", "0"]
        self._master = self._start("Master", command, "master", lambda: listens(port))
        self.workers: list[Process] = []
        self.start_workers()

    def start_workers(self) -> None:
        """Two, in place of those that are gone."""
        self.stop_workers()
        self.workers = [self._start_worker(f"worker{i}") for i in range(2)]

    def _start_worker(self, name: str) -> Process:
        port = free_port()
        command = ["-h", "127.0.0.1", "-p", str(port), "--webui-port", "0", "-c", "1", "-m", _EXECUTOR]
        return self._start("Worker", [*command, "-d", str(self._folder / name), self.url], name, lambda: listens(port))

    def _start(self, kind: str, command: list[str], name: str, ready: Callable[[], bool]) -> Process:
        main = f"org.apache.spark.deploy.{kind.lower()}.{kind}"
        return _started(name, [main, *command], ready, self._folder)

    def session(self) -> Any:
        return session(self.url, **{"spark.local.dir": str(self._folder)})

    def signal(self, number: int) -> None:
        """To all workers and their executors."""
        for worker in self.workers:
            worker.signal(number)

    def stop_workers(self) -> None:
        self.signal(signal.SIGCONT)
        while self.workers:
            self.workers.pop().stop()

    def stop(self) -> None:
        self.stop_workers()
        self._master.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


class ConnectServer:
    """A running server of Spark Connect, whose tasks run in it, two at a time.

    Attributes:
        url: for its clients.
        process: of the server and the Python processes of its tasks.
    """

    def __init__(self) -> None:
        self._folder = temporary_folder("spark-connect")
        port = free_port()
        self.url = f"sc://127.0.0.1:{port}"
        main = [
            "org.apache.spark.deploy.SparkSubmit",
            "--class",
            "org.apache.spark.sql.connect.service.SparkConnectServer",
        ]
        settings = {
            "spark.master": "local[2]",
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(port),
            "spark.driver.extraJavaOptions": _SMALL,
            "spark.sql.shuffle.partitions": "4",
            "spark.ui.enabled": "false",
        }
        command = [*main, *(word for key, value in settings.items() for word in ("--conf", f"{key}={value}"))]
        self.process = _started("connect", command, lambda: listens(port), self._folder, "512m")

    def stop(self) -> None:
        self.process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _started(name: str, command: list[str], ready: Callable[[], bool], folder: Path, memory: str = "128m") -> Process:
    environment = {
        "SPARK_HOME": str(_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder),
        "SPARK_DAEMON_MEMORY": memory,
        "SPARK_DAEMON_JAVA_OPTS": _SMALL,
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": _PYTHONPATH,
    }
    return Process(name, [str(_HOME / "bin" / "spark-class"), *command], ready, folder, environment, 180)


def session(master: str, **settings: str) -> Any:
    """A session whose executors have one core, and find Python's modules where this process does."""
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings |= {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "512m",
        "spark.driver.extraJavaOptions": _SMALL,
        "spark.executor.memory": _EXECUTOR,
        "spark.executor.cores": "1",
        "spark.executor.extraJavaOptions": _SMALL,
        "spark.executorEnv.PYTHONPATH": _PYTHONPATH,
        "spark.executor.heartbeatInterval": "2s",
        "spark.network.timeout": "20s",
        "spark.network.timeoutInterval": "5s",
        "spark.sql.shuffle.partitions": "4",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master(master).appName("tests of dlbd")
    for key, value in settings.items():
        builder = builder.config(key, value)
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel("OFF")
    return made
