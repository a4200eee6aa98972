"""Run the fake carrier as a process of its own: ``python -m tests.support.fake_twilio --port 8090``."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

from tests.support.fake_twilio.carrier import FakeCarrier
from tests.support.fake_twilio.clock import Clock, RealClock, TownFileClock
from tests.support.fake_twilio.faults import FaultPlan
from tests.support.fake_twilio.handsets import Behaviour
from tests.support.fake_twilio.settings import DEFAULT_ACCOUNT, DEFAULT_TOKEN, CarrierSettings
from tests.support.fake_twilio.town import Admin, TownView


def main() -> int:
    asked = _parser().parse_args()
    try:
        carrier = _carrier(asked)
        asyncio.run(_serve(carrier, asked.host, asked.port))
    except (OSError, ValueError, TypeError, KeyError, re.error) as err:
        print(f"the fake carrier does not start: {err}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fake_twilio", description=__doc__)
    normal = CarrierSettings()
    env = os.environ.get
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--seed", type=int, default=1, help="of the fault plan")
    parser.add_argument("--mps", type=float, default=normal.segments_per_s, help="segments/s per sender")
    parser.add_argument("--deliver-s", type=float, default=normal.deliver_s, help="from sent to delivered")
    parser.add_argument("--message-in", default="", help="webhook that takes replies")
    parser.add_argument("--account-sid", default=env("MUNICIPIO_TWILIO_ACCOUNT_SID", DEFAULT_ACCOUNT))
    parser.add_argument("--auth-token", default=env("MUNICIPIO_TWILIO_AUTH_TOKEN", DEFAULT_TOKEN))
    parser.add_argument("--ledger", type=Path, help="append-only file, taken up where it ended")
    parser.add_argument("--faults", type=Path, help="JSON file with a fault plan")
    parser.add_argument("--phones", type=Path, help="JSON file: list of rules as POST /_control/phones takes")
    parser.add_argument(
        "--people", type=Path, help="JSON file: {number: {name, role, zone}} of the page /phones"
    )
    parser.add_argument("--town", type=Path, help="JSON file: the town whose state /phones shows")
    parser.add_argument("--town-clock", type=Path, help="delays follow this town clock's rate")
    parser.add_argument("--answer-attempts", type=int, default=normal.answer_attempts)
    return parser


def _carrier(asked: argparse.Namespace) -> FakeCarrier:
    plan = json.loads(asked.faults.read_text()) if asked.faults else {}
    clock: Clock = TownFileClock(asked.town_clock) if asked.town_clock else RealClock()
    settings = CarrierSettings(
        account_sid=asked.account_sid,
        auth_token=asked.auth_token,
        segments_per_s=asked.mps,
        deliver_s=asked.deliver_s,
        message_in=asked.message_in,
        answer_attempts=asked.answer_attempts,
    )
    faults = FaultPlan.read({"seed": asked.seed, **plan})
    carrier = FakeCarrier(
        settings,
        clock=clock,
        faults=faults,
        ledger=asked.ledger,
        people=asked.people,
        town=TownView(clock, asked.town, Admin.from_environment()),
    )
    for rule in json.loads(asked.phones.read_text()) if asked.phones else []:
        carrier.handsets.behave(rule.pop("pattern"), Behaviour.read(rule))
    return carrier


async def _serve(carrier: FakeCarrier, host: str, port: int) -> None:
    over = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, over.set)
    async with carrier.serving(host, port) as url:
        print(f"fake carrier on {url}", flush=True)
        await over.wait()


if __name__ == "__main__":
    sys.exit(main())
