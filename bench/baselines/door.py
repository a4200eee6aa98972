"""A door that parses, validates and answers as ingest does, and stores nothing."""

from __future__ import annotations

import argparse
import asyncio

import uvloop
from fastapi import FastAPI

from schemas.events.readings import ReadingPublished
from services.runtime.http import serve

app = FastAPI()


@app.get("/readyz")
async def readyz() -> dict[str, bool]:
    return {"ok": True}


@app.post("/v1/readings", status_code=202)
async def post_readings(readings: ReadingPublished | list[ReadingPublished]) -> dict[str, object]:
    return {
        "accepted": len(readings) if isinstance(readings, list) else 1,
        "duplicates": 0,
        "corrections": 0,
        "quarantined": 0,
        "rejected_count": 0,
        "rejected": [],
    }


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    await serve(app, "127.0.0.1", parser.parse_args().port, asyncio.Event())


if __name__ == "__main__":
    uvloop.run(main())
