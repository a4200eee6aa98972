"""What we tell Kafka, and what we say where it cannot run."""

from __future__ import annotations

from pathlib import Path

import pytest

from municipio import broker
from municipio.errors import DependencyDown


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of a broker whose folder was formatted before."""
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "meta.properties").touch()
    broker.broker_at(tmp_path, 19092).prepare()
    lines = (tmp_path / "server.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_only_loopback_listens(written: dict[str, str]) -> None:
    """The broker of one machine is nobody else's."""
    assert "BROKER://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093" == written["listeners"]


def test_a_misspelt_topic_is_never_made(written: dict[str, str]) -> None:
    """Topics come from the table alone."""
    assert "false" == written["auto.create.topics.enable"]


def test_a_killed_broker_is_back_soon(written: dict[str, str]) -> None:
    """The old registration has to expire before the new one is taken."""
    assert "3000" == written["broker.session.timeout.ms"]


def test_a_cluster_id_is_no_option() -> None:
    """One in 64 would begin with a dash, and the storage tool would refuse it."""
    assert not broker.cluster_id(b"\xfb" * 16).startswith("-")
    assert 22 == len(broker.cluster_id(b"\xfb" * 16))


def test_without_java_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names what to install."""
    monkeypatch.setattr(broker.shutil, "which", lambda _name: None)
    with pytest.raises(DependencyDown, match="openjdk-17-jre-headless"):
        broker.java()


def test_without_jars_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It names the command that fetches them."""
    monkeypatch.setattr(broker.shutil, "which", lambda _name: "/bin/java")
    monkeypatch.setattr(broker, "KAFKA", tmp_path)
    with pytest.raises(DependencyDown, match="make setup"):
        broker.java()


def test_the_command_line_says_it_and_exits_3(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The process manager's log then holds the reason."""
    monkeypatch.setattr(broker.shutil, "which", lambda _name: None)
    assert 3 == broker.main(["run", "--data", str(tmp_path)])
    assert "Java" in capsys.readouterr().err
