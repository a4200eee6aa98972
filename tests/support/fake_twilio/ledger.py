"""Who received what, how often, when, and what they answered: the truth that oracles compare with."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

Entry = dict[str, Any]


class Ledger:
    """Append-only entries, in memory and, when a path is given, one JSON object per line in a file.

    Kinds: ``message``, ``call`` (accepted), ``status``, ``heard`` (what a call said), ``answer`` (a reply or
    digits), ``answer_taken`` (whether the webhook took it), ``callback_refused``, ``reset``; from the page of
    phones also ``said`` (words of a call while somebody listens) and ``switched`` (a phone, on or off).

    ``town``: where phones live by a town's clock, that clock; entries then say ``town_at`` too.
    """

    def __init__(self, path: Path | None = None, town: Callable[[], datetime] | None = None) -> None:
        self._town = town
        self.entries: list[Entry] = []
        self._times: Counter[tuple[str, str, str]] = Counter()
        self._seq = 0
        self._file: TextIO | None = None
        if path is not None:
            self._read(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            cut_short = path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
            self._file = path.open("a", encoding="utf-8", buffering=1)
            if cut_short:
                self._file.write("\n")

    @property
    def end(self) -> int:
        """Return the number of the newest entry; unchanged means that nothing happened."""
        return self._seq

    def add(self, kind: str, **facts: Any) -> Entry:
        """Write one entry; it is with the operating system before this returns, so a kill loses nothing."""
        self._seq += 1
        entry: Entry = {
            "seq": self._seq,
            "kind": kind,
            "at": datetime.now(UTC).isoformat(),
            "monotonic_s": time.monotonic(),
            **({"town_at": self._town().isoformat()} if self._town else {}),
            **facts,
        }
        if kind in {"message", "call"}:
            key = (facts["phone"], facts["channel"], facts.get("text") or "")
            self._times[key] += 1
            entry["times"] = self._times[key]
        self._keep(entry)
        return entry

    @property
    def last_seq(self) -> int:
        """The number of the newest entry, also of one that was forgotten since."""
        return self._seq

    def after(self, seq: int, limit: int | None = None) -> list[Entry]:
        """Return entries newer than ``seq``, oldest first."""
        first = self.entries[0]["seq"] if self.entries else 1
        start = max(0, seq - first + 1)
        return self.entries[start : None if limit is None else start + limit]

    def reset(self) -> None:
        """Forget everything; the file keeps it and says where it was forgotten."""
        self._seq += 1
        self._keep({"seq": self._seq, "kind": "reset", "at": datetime.now(UTC).isoformat()})
        self._forget()

    def phones(self) -> list[Entry]:
        """Return each phone with each text and call it got, and how many times."""
        rows: dict[tuple[str, str, str], Entry] = {}
        for entry in self.entries:
            if entry["kind"] in {"message", "call"}:
                key = (entry["phone"], entry["channel"], entry.get("text") or "")
                row = rows.setdefault(
                    key, {"phone": key[0], "channel": key[1], "text": key[2], "times": 0, "sids": []}
                )
                row["times"] += 1
                row["sids"].append(entry["sid"])
        return list(rows.values())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _keep(self, entry: Entry) -> None:
        self.entries.append(entry)
        if self._file is not None:
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def _forget(self) -> None:
        self.entries.clear()
        self._times.clear()

    def _read(self, path: Path) -> None:
        if not path.exists():
            return
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the line that a kill cut short
            self._seq = entry["seq"]
            self.entries.append(entry)
            if entry["kind"] == "reset":
                self._forget()
            elif entry["kind"] in {"message", "call"}:
                self._times[entry["phone"], entry["channel"], entry.get("text") or ""] += 1
