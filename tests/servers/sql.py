"""SQL servers: what the tests know about each, and its start."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.servers.certificates import Authority
from tests.servers.process import AS_NOBODY, CACHE, Process, free_port, listens, temporary_folder

USER, PASSWORD, DATABASE = "dlbd", "p@ss:w/rd%", "dlbd_test"
CERTIFIED = "certified"  # who has a certificate in place of a password, where a test makes such a user
_NOBODY = 65534 if AS_NOBODY else None


@dataclass
class SqlServer:
    """A running server.

    Attributes:
        name: mariadb, mysql or postgresql.
        uri: of an empty database, for a user who may do everything there.
        process: None if it is the user's own server, which no test stops.
    """

    name: str
    uri: str
    process: Process | None = None
    folder: Path | None = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def start(name: str) -> SqlServer:
    """The server, or the user's own that ``DLBD_TEST_<NAME>_URI`` names; skips where it is not installed."""
    own = os.environ.get(f"DLBD_TEST_{name.upper()}_URI")
    return SqlServer(name, own) if own else start_own(name)


def start_own(name: str, tls: Authority | None = None, most_bytes: int | None = None) -> SqlServer:
    """A server that may be stopped.

    Args:
        tls: signs its certificate; it speaks TLS only, then, and knows this authority's users.
        most_bytes: that a file of it may have: what a full disk looks like to it.
    """
    # a server that does not ignore the signal would be killed by its first write beyond the limit
    limited = [] if most_bytes is None else ["env", "--ignore-signal=XFSZ", "prlimit", f"--fsize={most_bytes}"]
    return {"mariadb": _mariadb, "mysql": _mysql, "postgresql": _postgresql}[name](tls, limited)


def _uri(scheme: str, port: int) -> str:
    return f"{scheme}://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/{DATABASE}"


def _require(name: str, *files: str | Path | None) -> None:
    if not all(f and Path(f).exists() for f in files):
        pytest.skip(f"{name} is not installed (tests/servers/install.sh)")


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if done.returncode:
        pytest.fail(f"{command[0]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def _mysql_user(port: int, tls: Authority | None) -> None:
    """Database and user, made by root, who has no password yet."""
    import pymysql

    arguments = {"ssl": {"ca": str(tls.certificate)}} if tls else {}
    with (
        pymysql.connect(host="127.0.0.1", port=port, user="root", **arguments) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        cursor.execute("CREATE USER %s@'%%' IDENTIFIED BY %s", (USER, PASSWORD))
        cursor.execute(f"GRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION")


def _started(
    name: str,
    scheme: str,
    command: Sequence[str],
    folder: Path,
    port: int,
    ready: Callable[[], bool],
    tls: Authority | None,
) -> SqlServer:
    process = Process(name, command, ready, folder)
    if scheme != "postgresql":
        _mysql_user(port, tls)
    return SqlServer(name, _uri(scheme, port), process, folder)


def _mysql_tls(tls: Authority | None, owner: int | None) -> list[str]:
    if tls is None:
        return []
    certificate, key = tls.issue("server", owner)
    files = [f"--ssl-ca={tls.certificate}", f"--ssl-cert={certificate}", f"--ssl-key={key}"]
    return [*files, "--require-secure-transport=ON"]


def _mariadb(tls: Authority | None, limited: Sequence[str]) -> SqlServer:
    server, install = shutil.which("mariadbd", path=_PATH), shutil.which("mariadb-install-db", path=_PATH)
    _require("mariadb", server, install)
    folder, port = temporary_folder("mariadb"), free_port()
    options = ["--no-defaults", f"--datadir={folder}/data"]
    _run([*AS_NOBODY, str(install), *options, "--auth-root-authentication-method=normal", "--skip-test-db"], folder)
    network = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder}/s"]
    small = ["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M"]
    command = [*limited, *AS_NOBODY, str(server), *options, *network, *small, *_mysql_tls(tls, _NOBODY)]
    return _started("mariadb", "mariadb", command, folder, port, lambda: listens(port), tls)


def _mysql(tls: Authority | None, limited: Sequence[str]) -> SqlServer:
    base = CACHE / "mysql"
    _require("mysql", base / "bin" / "mysqld")
    folder, port = temporary_folder("mysql"), free_port()
    # the cache may lie in root's home, where nobody else can read
    options = ["--no-defaults", f"--basedir={base}", f"--datadir={folder}/data", f"--lc-messages-dir={base}/share"]
    options += ["--user=root"] if os.getuid() == 0 else []
    _run([str(base / "bin" / "mysqld"), *options, "--initialize-insecure"], folder)
    network = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder}/s", f"--pid-file={folder}/pid"]
    small = ["--mysqlx=OFF", "--skip-log-bin", "--innodb-buffer-pool-size=32M", "--performance-schema=OFF"]
    small.append("--innodb-log-file-size=8M")
    command = [*limited, str(base / "bin" / "mysqld"), *options, *network, *small, *_mysql_tls(tls, None)]
    return _started("mysql", "mysql", command, folder, port, lambda: listens(port), tls)


def _postgresql(tls: Authority | None, limited: Sequence[str]) -> SqlServer:
    initdb, server = shutil.which("initdb", path=_PATH), shutil.which("postgres", path=_PATH)
    _require("postgresql", initdb, server)
    folder, port = temporary_folder("postgresql"), free_port()
    (folder / "password").write_text(PASSWORD)
    options = [f"--username={USER}", "--auth=scram-sha-256", f"--pwfile={folder}/password", "--no-sync"]
    locale = ["--locale=C.UTF-8", "--encoding=UTF8"]
    _run([*AS_NOBODY, str(initdb), "-D", f"{folder}/data", *options, *locale], folder)
    command = [*limited, *AS_NOBODY, str(server), "-D", f"{folder}/data"]
    command += ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "fsync=off"]
    if tls:
        certificate, key = tls.issue("server", _NOBODY)
        files = {"ssl_ca_file": tls.certificate, "ssl_cert_file": certificate, "ssl_key_file": key}
        command += [word for name, file in files.items() for word in ("-c", f"{name}={file}")] + ["-c", "ssl=on"]
        certified = f"hostssl all {CERTIFIED} all cert"
        (folder / "data" / "pg_hba.conf").write_text(f"{certified}\nhostssl all all all scram-sha-256\n")

    def ready() -> bool:
        """It listens before it answers."""
        import psycopg

        try:
            with psycopg.connect(_uri("postgresql", port).replace(DATABASE, "postgres"), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {DATABASE}")
            return True
        except psycopg.OperationalError:
            return False

    return _started("postgresql", "postgresql", command, folder, port, ready, tls)


_PATH = ":".join([os.environ.get("PATH", ""), "/usr/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
