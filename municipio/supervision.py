"""The process manager: supervisor, with a configuration that we write.

It starts everything at once, starts again what dies, and leaves nothing when it ends.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from municipio.errors import DependencyDown, MunicipioError
from municipio.paths import ROOT, write_private

_PR_SET_PDEATHSIG: Final = 1
_SOCKET_PATH_MAX: Final = 100
_START_WITHIN_S: Final = 10.0
_STOP_WITHIN_S: Final = 40.0
# Stopped last to first: services while the broker and the carrier still answer them.
_GROUPS: Final = {"broker": 10, "carrier": 20, "town": 100}


@dataclass(frozen=True, slots=True)
class Program:
    """One process.

    Attributes:
        group: ``broker``, ``carrier`` or ``town``; services stop before what they depend on.
        environment: What this process alone gets; never a secret, only the path of one.
        autostart: Whether it starts with the others, or only when told to.
    """

    name: str
    command: Sequence[str]
    group: str = "town"
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_within_s: int = 15
    autostart: bool = True


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """What the manager knows of a process. ``pid`` is 0 while it does not run."""

    name: str
    state: str
    pid: int
    exit_code: int
    log: Path


def render(programs: Sequence[Program], folder: Path, logs: Path, socket: Path) -> str:
    """Return supervisor's configuration for these programs."""
    sections = [
        f"[unix_http_server]\nfile={_plain(socket)}\nchmod=0700\n",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
        "[supervisord]\nnodaemon=true\nsilent=true\numask=077\n"
        f"pidfile={_plain(folder / 'supervisord.pid')}\n"
        f"logfile={_plain(folder / 'supervisord.log')}\nlogfile_maxbytes=5MB\nlogfile_backups=1\n",
        *(_group(name, programs) for name in _GROUPS if any(p.group == name for p in programs)),
        *(_program(program, logs) for program in programs),
    ]
    return "\n".join(sections)


class Supervision:
    """Runs the programs of one copy."""

    def __init__(self, programs: Sequence[Program], folder: Path, logs: Path) -> None:
        self._programs = {program.name: program for program in programs}
        self._folder = folder
        self._logs = logs
        self._socket = _socket_path(folder)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def names(self) -> list[str]:
        return list(self._programs)

    def start(self, environment: Mapping[str, str]) -> None:
        """Start the manager, and with it every process.

        Raises:
            DependencyDown: The manager does not come up.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "supervisord.conf"
        write_private(
            configuration, render([*self._programs.values()], self._folder, self._logs, self._socket)
        )
        main_thread = threading.current_thread() is threading.main_thread()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(configuration)],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_end_with_parent if main_thread else None,  # noqa: PLW1509 - no threads yet
        )
        self._wait_for_socket(self._process)

    def processes(self) -> list[ProcessInfo]:
        """Return what runs and what does not, in the order of the programs."""
        with self._rpc() as rpc:
            infos = {info["name"]: info for info in rpc.supervisor.getAllProcessInfo()}
        return [
            ProcessInfo(
                name, infos[name]["statename"], infos[name]["pid"], infos[name]["exitstatus"], self.log(name)
            )
            for name in self._programs
        ]

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def stop_process(self, name: str) -> None:
        """Stop one process and return once it ended; the manager leaves it alone until it is started."""
        with self._rpc() as rpc:
            rpc.supervisor.stopProcess(self._full(name), True)

    def start_process(self, name: str) -> None:
        with self._rpc() as rpc:
            rpc.supervisor.startProcess(self._full(name), False)

    def kill(self, name: str) -> int:
        """End a process with -9, as a crash would; returns the pid, 0 if it was not running."""
        pid = next(info.pid for info in self.processes() if info.name == name)
        if pid:
            os.kill(pid, signal.SIGKILL)
        return pid

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop every process, services before the broker, and the manager; nothing is left."""
        if self._process is None:
            return
        pids = self._pids()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()
        self._process = None
        _kill_groups(pids)
        self._socket.unlink(missing_ok=True)
        (self._folder / "supervisord.pid").unlink(missing_ok=True)

    def _pids(self) -> list[int]:
        try:
            return [info.pid for info in self.processes() if info.pid]
        except (OSError, DependencyDown):
            return []

    def _full(self, name: str) -> str:
        return f"{self._programs[name].group}:{name}"

    def _rpc(self) -> Any:
        from xmlrpc.client import ServerProxy

        from supervisor.xmlrpc import SupervisorTransport

        if not self._socket.exists():
            raise DependencyDown("The process manager does not run.")
        return ServerProxy(
            "http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{self._socket}")
        )

    def _wait_for_socket(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _START_WITHIN_S
        while time.monotonic() < until:
            if process.poll() is not None:
                said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
                raise DependencyDown(f"The process manager did not start: {said.partition(chr(10))[0]}")
            try:
                self.processes()
            except (OSError, MunicipioError):
                time.sleep(0.03)
            else:
                return
        raise DependencyDown(f"The process manager did not answer within {_START_WITHIN_S:.0f} s.")


def _group(name: str, programs: Sequence[Program]) -> str:
    members = ",".join(program.name for program in programs if program.group == name)
    return f"[group:{name}]\nprograms={members}\npriority={_GROUPS[name]}\n"


def _program(program: Program, logs: Path) -> str:
    lines = [
        f"[program:{program.name}]",
        "command=" + " ".join(_plain(shlex.quote(word)) for word in program.command),
        f"directory={_plain(ROOT)}",
        f"autostart={'true' if program.autostart else 'false'}",
        "autorestart=true",
        "startsecs=1",
        "startretries=1000000",
        "stopsignal=TERM",
        f"stopwaitsecs={program.stop_within_s}",
        "stopasgroup=true",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={_plain(logs / program.name)}.log",
        "stdout_logfile_maxbytes=10MB",
        "stdout_logfile_backups=2",
    ]
    if program.environment:
        pairs = (f"{name}={_quoted(value)}" for name, value in program.environment.items())
        lines.append("environment=" + ",".join(pairs))
    return "\n".join(lines) + "\n"


def _plain(text: object) -> str:
    """Escape what supervisor would expand."""
    return str(text).replace("%", "%%")


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_plain(escaped)}"'


def _socket_path(folder: Path) -> Path:
    """Return where the socket lies: in the folder, unless its path is longer than a socket's may be."""
    inside = folder / "supervisor.sock"
    if len(str(inside)) <= _SOCKET_PATH_MAX:
        return inside
    return Path(tempfile.gettempdir()) / f"municipio-{sha256(str(inside).encode()).hexdigest()[:16]}.sock"


def _end_with_parent() -> None:
    """Ask the kernel to stop the manager when we die, even by -9; where it cannot, the manager stays."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _kill_groups(pids: Sequence[int]) -> None:
    """End what outlived its manager. Each process leads a group of its own."""
    for pid in pids:
        try:
            if os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
