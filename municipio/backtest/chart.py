"""Draw one gauge's way through a backtest as SVG: values, thresholds, verdicts, silences, messages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from html import escape
from typing import Final, NamedTuple

from municipio.backtest.series import Envelope

WIDTH, LEFT, RIGHT = 1000, 66, 876
TOP, BOTTOM = 14, 254
VERDICTS, MESSAGES, EVENTS, AXIS, HEIGHT = 264, 292, 316, 334, 352
COLOURS: Final = ("#5b8a72", "#b08a00", "#e07800", "#c8281c", "#6a1b9a")
"""By level; told apart by brightness, too."""
OCCURRED: Final = "#37474f"
LABEL_HEIGHT: Final = 13
TICKS: Final = 8
JOINED_OVER: Final = 2.5
"""Readings further apart than so many times the gauge's rhythm are not joined by a line."""


class Span(NamedTuple):
    """Something that lasted: a level that stood, a silence, an event."""

    begins_at: datetime
    ends_at: datetime
    what: str
    level: int = 0


class Mark(NamedTuple):
    """A threshold."""

    level: int
    value: float
    label: str


class Note(NamedTuple):
    """A message at its moment."""

    at: datetime
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn of one gauge, all of it between two moments."""

    name: str
    unit: str
    begins_at: datetime
    ends_at: datetime
    zone: tzinfo
    every: timedelta
    envelope: Envelope | None
    marks: Sequence[Mark] = ()
    verdicts: Sequence[Span] = field(default=())
    silences: Sequence[Span] = field(default=())
    messages: Sequence[Note] = field(default=())
    events: Sequence[Span] = field(default=())


def svg(drawing: Drawing) -> str:
    """Return the picture, to stand in a page."""
    title = escape(f"{drawing.name} ({drawing.unit})")
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">',
        '<defs><pattern id="nodata" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="3" height="6" class="hatch"/></pattern></defs>',
        f'<rect class="plot" x="{LEFT}" y="{TOP}" width="{RIGHT - LEFT}" height="{BOTTOM - TOP}"/>',
        *_silences(drawing),
        *_marks(drawing),
        *_values(drawing),
        *_strip(drawing, drawing.verdicts, VERDICTS, 16, [COLOURS[span.level] for span in drawing.verdicts]),
        *_messages(drawing),
        *_strip(drawing, drawing.events, EVENTS, 8, [OCCURRED] * len(drawing.events)),
        *_axes(drawing),
        "</svg>",
    ]
    return "\n".join(parts)


def _x(drawing: Drawing, at: datetime) -> float:
    whole = (drawing.ends_at - drawing.begins_at) / timedelta(seconds=1) or 1.0
    share = ((at - drawing.begins_at) / timedelta(seconds=1)) / whole
    return round(LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, share)), 1)


def _range(drawing: Drawing) -> tuple[float, float]:
    values = [mark.value for mark in drawing.marks]
    if drawing.envelope is not None:
        shown = [*drawing.envelope.low.tolist(), *drawing.envelope.high.tolist()]
        values += [value for value in shown if not math.isnan(value)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - low) * 0.06 or 0.5
    return low - room, high + room


def _y(value: float, scale: tuple[float, float]) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * (value - scale[0]) / (scale[1] - scale[0]), 1)


def _values(drawing: Drawing) -> Iterator[str]:
    scale = _range(drawing)
    for run in _runs(drawing):
        above = [f"{_x(drawing, at)},{_y(high, scale)}" for at, _, high in run]
        below = [f"{_x(drawing, at)},{_y(low, scale)}" for at, low, _ in reversed(run)]
        yield f'<path class="values" d="M{" L".join(above + below)} Z"/>'


def _runs(drawing: Drawing) -> Iterator[list[tuple[datetime, float, float]]]:
    """Yield what is joined by a line: a gap is never drawn as if something had been read in it."""
    shown = drawing.envelope
    if shown is None:
        return
    reach = max(drawing.every * JOINED_OVER, shown.part * 1.5)
    run: list[tuple[datetime, float, float]] = []
    for place, (low, high) in enumerate(zip(shown.low.tolist(), shown.high.tolist(), strict=True)):
        at = shown.begins_at + shown.part * place
        if math.isnan(low):
            continue
        if run and at - run[-1][0] > reach:
            yield run
            run = []
        run.append((at, low, high))
    if run:
        yield run


def _marks(drawing: Drawing) -> Iterator[str]:
    scale, label_y = _range(drawing), math.inf
    for mark in sorted(drawing.marks, key=lambda each: each.value):
        y, colour = _y(mark.value, scale), COLOURS[mark.level]
        label_y = min(
            y + 4, label_y - LABEL_HEIGHT
        )  # Labels of marks close together stand one over the other.
        yield f'<line class="mark" x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" stroke="{colour}"/>'
        label = escape(f"{_number(mark.value)} {mark.label}")
        yield f'<text class="label" x="{RIGHT + 6}" y="{label_y}" fill="{colour}">{label}</text>'


def _number(value: float) -> str:
    return f"{value:.2f}".replace(".", ",")


def _silences(drawing: Drawing) -> Iterator[str]:
    for span in drawing.silences:
        x, width = _place(drawing, span)
        yield (
            f'<rect class="silence" x="{x}" y="{TOP}" width="{width}" height="{BOTTOM - TOP}" '
            f'fill="url(#nodata)"><title>{escape(span.what)}</title></rect>'
        )


def _strip(
    drawing: Drawing, spans: Sequence[Span], y: int, height: int, colours: Sequence[str]
) -> Iterator[str]:
    for span, colour in zip(spans, colours, strict=True):
        x, width = _place(drawing, span)
        yield (
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}">'
            f"<title>{escape(span.what)}</title></rect>"
        )


def _place(drawing: Drawing, span: Span) -> tuple[float, float]:
    x = _x(drawing, span.begins_at)
    return x, round(max(1.5, _x(drawing, span.ends_at) - x), 1)


def _messages(drawing: Drawing) -> Iterator[str]:
    for note in drawing.messages:
        x = _x(drawing, note.at)
        yield (
            f'<path d="M{x},{MESSAGES} l5,12 l-10,0 Z" fill="{COLOURS[note.level]}">'
            f"<title>{escape(note.text)}</title></path>"
        )


def _axes(drawing: Drawing) -> Iterator[str]:
    low, high = scale = _range(drawing)
    for step in range(5):
        value = low + (high - low) * step / 4
        y = _y(value, scale) + 4
        yield f'<text class="tick" x="{LEFT - 6}" y="{y}" text-anchor="end">{_number(value)}</text>'
    whole = drawing.ends_at - drawing.begins_at
    form = (
        "%d/%m %H:%M" if whole < timedelta(days=4) else "%d/%m/%Y" if whole < timedelta(days=800) else "%m/%Y"
    )
    for step in range(TICKS + 1):
        at = drawing.begins_at + whole * step / TICKS
        x = _x(drawing, at)
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{BOTTOM}"/>'
        said = at.astimezone(drawing.zone).strftime(form)
        yield f'<text class="tick" x="{x}" y="{AXIS + 12}" text-anchor="middle">{said}</text>'
    rows = ((VERDICTS + 12, "nivel"), (MESSAGES + 10, "mensajes"), (EVENTS + 8, "ocurrió"))
    for y, name in rows if drawing.events else rows[:2]:
        yield f'<text class="tick" x="{LEFT - 6}" y="{y}" text-anchor="end">{name}</text>'
