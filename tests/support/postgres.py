"""A real PostgreSQL for tests: a throwaway cluster that can be stopped, killed and started again."""

from __future__ import annotations

import asyncio
import glob
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

OUTSIDE = "MUNICIPIO_TEST_POSTGRES_URL"
ADMIN = "municipio_admin"
UNPRIVILEGED = ("postgres", "nobody")
START_TIMEOUT_S = 30.0


class PostgresCluster:
    """One server. ``outside`` marks a server that is not ours and can neither be stopped nor killed.

    Attributes:
        url: Of a superuser, into the database ``postgres``.
        templates: Databases to copy, by what is in them.
    """

    def __init__(self, url: str, folder: Path | None, port: int = 0, *, fsync: bool = False) -> None:
        self.url = url
        self.templates: dict[str, str] = {}
        self._fsync = fsync
        self._folder = folder
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def outside(self) -> bool:
        return self._folder is None

    @property
    def log(self) -> Path | None:
        """What the server writes down; ``None`` of one from outside."""
        return self._folder / "log" if self._folder else None

    def start(self) -> None:
        """Start the server and return once it accepts connections; a running one stays as it is."""
        if self._folder is None or self._process is not None:
            return
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "on" if self._fsync else "off",
        }
        command = [_binary("postgres"), "-D", str(self._folder / "data"), "-p", str(self._port)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._folder, start_new_session=True, **_as_nobody()
            )
        self._wait_until_open()

    def stop(self) -> None:
        """Stop at once but in order: open connections are cut, nothing has to be recovered."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Stop as a power cut would: the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        assert not self.outside, "a server from outside is not ours to stop"
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _wait_until_open(self) -> None:
        assert self._process is not None
        assert self._folder is not None
        ready = [_binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end:
            if self._process.poll() is not None:
                said = (self._folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"PostgreSQL ended with {self._process.returncode}: {said}")
            if subprocess.run(ready, check=False).returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not open within {START_TIMEOUT_S:.0f} s")


@contextmanager
def postgres_cluster(*, fsync: bool = False) -> Iterator[PostgresCluster]:
    """Give a running server: the one that ``MUNICIPIO_TEST_POSTGRES_URL`` names, else one of our own.

    As root it runs as an unprivileged user, in a fresh directory of that user. Server and directory are
    gone at the end, so that only a crash of the machine could lose something without ``fsync``.
    """
    outside = os.environ.get(OUTSIDE)
    if outside:
        cluster = PostgresCluster(outside, None)
        try:
            yield cluster
        finally:
            for name in cluster.templates.values():
                asyncio.run(run_sql(cluster.url, f"DROP DATABASE {name} WITH (FORCE)"))
        return
    folder = Path(tempfile.mkdtemp(prefix="municipio-postgres-", dir="/tmp"))
    password = secrets.token_hex(12)
    port = _free_port()
    cluster = PostgresCluster(
        f"postgresql://{ADMIN}:{password}@127.0.0.1:{port}/postgres", folder, port, fsync=fsync
    )
    with _watchdog(folder):
        try:
            _initialise(folder, password)
            cluster.start()
            yield cluster
        finally:
            cluster.kill()
            shutil.rmtree(folder, ignore_errors=True)


_WATCHDOG = """
cat > /dev/null
read -r pid < "$1/data/postmaster.pid" && [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ] && kill -QUIT "$pid"
sleep 1
rm -rf "$1"
"""


@contextmanager
def _watchdog(folder: Path) -> Iterator[None]:
    """Stop the server and remove its folder also when we are killed: the pipe then closes by itself."""
    command = ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(folder)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as dog:
        yield
        dog.kill()


@asynccontextmanager
async def fresh_database(cluster: PostgresCluster, template: str = "template1") -> AsyncIterator[str]:
    """Give the URL of a copy of ``template``, which is empty by default; dropped at the end."""
    name = await create_database(cluster, template)
    try:
        yield database_url(cluster, name)
    finally:
        await run_sql(cluster.url, f"DROP DATABASE {name} WITH (FORCE)")
        await _drop_roles(cluster.url, name)


async def create_database(cluster: PostgresCluster, template: str = "template1") -> str:
    """Make a database and return its name."""
    name = f"municipio_test_{secrets.token_hex(6)}"
    await run_sql(cluster.url, f"CREATE DATABASE {name} TEMPLATE {template}")
    return name


def database_url(cluster: PostgresCluster, name: str) -> str:
    return make_url(cluster.url).set(database=name).render_as_string(hide_password=False)


async def run_sql(url: str, statement: str) -> list[asyncpg.Record]:
    """Run one statement outside any transaction and return its rows."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain, timeout=10)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """A server for the whole session; import this fixture into a conftest."""
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture
async def postgres_url(postgres: PostgresCluster) -> AsyncIterator[str]:
    """An empty database for one test."""
    async with fresh_database(postgres) as url:
        yield url


async def _drop_roles(url: str, database: str) -> None:
    for row in await run_sql(url, f"SELECT rolname FROM pg_roles WHERE rolname LIKE '{database}\\_%'"):
        await run_sql(url, f'DROP ROLE "{row["rolname"]}"')


def _initialise(folder: Path, password: str) -> None:
    secret = folder / "password"
    secret.write_text(password)
    who = _as_nobody()
    if who:
        for path in (folder, secret):
            os.chown(path, int(who["user"]), int(who["group"]))
    command = [_binary("initdb"), "-D", str(folder / "data"), "-U", ADMIN, f"--pwfile={secret}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(command, check=False, capture_output=True, cwd=folder, **_as_nobody())
    if done.returncode != 0:
        raise RuntimeError(f"initdb failed: {done.stderr.decode(errors='replace')[-2000:]}")


def _as_nobody() -> dict[str, int]:
    """Return how to start a program as an unprivileged user; nothing when we are none other."""
    if os.geteuid() != 0:
        return {}
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid}
    raise RuntimeError("PostgreSQL refuses to run as root and there is neither a user postgres nor nobody")


def _binary(name: str) -> str:
    """Return the newest installed program of that name."""
    installed = glob.glob(f"/usr/lib/postgresql/*/bin/{name}")
    newest = max(installed, key=lambda path: float(Path(path).parts[-3]), default=shutil.which(name))
    if newest is None:
        raise RuntimeError(f"{name} is not installed: apt-get install postgresql, or set {OUTSIDE}")
    return newest


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
