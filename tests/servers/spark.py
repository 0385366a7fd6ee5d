"""Spark's standalone cluster: one master, two workers of one core each, of the package pyspark."""

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
        environment = {
            "SPARK_HOME": str(_HOME),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(self._folder),
            "SPARK_DAEMON_MEMORY": "128m",
            "SPARK_DAEMON_JAVA_OPTS": _SMALL,
        }
        return Process(name, [str(_HOME / "bin" / "spark-class"), main, *command], ready, self._folder, environment)

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
        "spark.executorEnv.PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
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
