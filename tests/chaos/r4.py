"""R4: Kafka refuses records, answers late and then very late; every record is stored once all the same."""

from __future__ import annotations

import asyncio
import time

from tests.chaos.campaign import Json, Order, Outcome, Scene, Trial, play
from tests.chaos.drain import drained
from tests.support.mock_kafka import (
    COORDINATOR_NOT_AVAILABLE,
    FETCH,
    NOT_ENOUGH_REPLICAS,
    NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    OFFSET_COMMIT,
    PRODUCE,
    REQUEST_TIMED_OUT,
    MockKafka,
    mock_kafka,
)

ERRORS = {
    PRODUCE: (NOT_ENOUGH_REPLICAS, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND),
    FETCH: (REQUEST_TIMED_OUT,),
    OFFSET_COMMIT: (COORDINATOR_NOT_AVAILABLE, REQUEST_TIMED_OUT),
}
NOW_AND_THEN_S, EACH_S = 6.0, 0.3
# More in a row than a producer tries to bridge: the relay has to give it up and make another.
STORM, STORM_S = 400, 14.0
SLOW_MS, SLOW_S = 2000, 10.0


def run(order: Order) -> Json:
    with mock_kafka() as mock:
        return play(order, _trial(mock))


def _trial(mock: MockKafka) -> Trial:
    async def errors(scene: Scene) -> Outcome:
        outcome = Outcome()
        await scene.load_at(0.1)
        for start in range(1 if scene.order.scale == "ci" else 10):
            await scene.load_at(0.1 + 0.08 * start)
            await _once(mock)
            outcome.recovered_s.append(await drained(scene, time.monotonic()))
        met = {name: mock.met(api) for name, api in _NAMES.items()}
        outcome.facts["errors_met"] = met
        outcome.fired = min(met.values())
        return outcome

    return Trial(
        "R4",
        errors,
        rounds={"ci": 60, "night": 500},
        kafka_bootstrap=lambda _: mock.bootstrap,
    )


async def _once(mock: MockKafka) -> None:
    """Errors now and then, a storm of them, and two seconds for every answer."""
    until_s = time.monotonic() + NOW_AND_THEN_S
    while time.monotonic() < until_s:
        for api, codes in ERRORS.items():
            mock.fail_next(api, codes)
        await asyncio.sleep(EACH_S)
    mock.fail_next(PRODUCE, [NOT_ENOUGH_REPLICAS] * STORM)
    await asyncio.sleep(STORM_S)
    mock.slow(SLOW_MS)
    await asyncio.sleep(SLOW_S)
    mock.slow(0)


_NAMES = {"produce": PRODUCE, "fetch": FETCH, "offset_commit": OFFSET_COMMIT}
