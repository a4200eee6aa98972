"""Hold a text for residents against what a warning must say. Pure.

Six elements: source, hazard, place, time, impact, action; and until when, and where to check that it is
true. Nothing is ever cut to make it short: two segments are better than a missing element.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.events.base import Reason
from schemas.events.warnings import ZoneText
from schemas.municipality.folder import Municipality
from schemas.vocabulary import Hazard
from services.notify.domain.catalogue import Catalogue
from services.notify.domain.render import Catalogues
from services.notify.domain.segments import is_gsm7, transliterate

_JARGON: Final = re.compile(
    r"\b(alerta|alert|aviso)?\s*(nivel|level)\s*\d|\b(alerta|alert)\s+(roja|naranja|anaranjada|amarilla|verde|red|"
    r"orange|yellow|green)\b|\b(dgpc|coe|sat|copeco|conred)\b"
)
_BOAST: Final = re.compile(r"\b(alcalde|alcaldesa|mayor|presidente|diputad[oa]|partido|vote|gobierno de)\b")
_HOUR: Final = re.compile(r"\b([01]\d|2[0-3]):[0-5]\d\b")
MANY_SEGMENTS: Final = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """``refused`` stops the text; the rest is shown to whoever signs."""

    reason: Reason
    refused: bool
    zone: str
    language: str


def lint_warning(
    texts: Sequence[ZoneText],
    town: Municipality,
    hazard: Hazard,
    verify_code: str,
    catalogues: Catalogues,
) -> tuple[Finding, ...]:
    """Return everything that is wrong or costly in the texts of a warning or a renewal."""
    findings: list[Finding] = []
    for words in texts:
        text = _low(words.text)
        catalogue = catalogues[words.language]
        checks = {
            "source": _low(town.town.sender.name) in text,
            "hazard": _any(catalogue.words(f"lint.hazards.{hazard.value}"), text),
            "place": _says_place(words.zone, town, text),
            "time": bool(_HOUR.search(text)) or _any(catalogue.words("lint.time"), text),
            "impact": _says_impact(words.zone, town, catalogue, text),
            "action": _any(catalogue.words("lint.actions"), text),
            "until": bool(_HOUR.search(text)),
            "verify": verify_code.lower() in text,
        }
        findings += [
            Finding(_missing(element), True, words.zone, words.language)
            for element, said in checks.items()
            if not said
        ]
        findings += _common(words)
    return tuple(findings)


def lint_free(texts: Iterable[ZoneText], town: Municipality) -> tuple[Finding, ...]:
    """Return what is wrong in a text that a person wrote (a correction): it must say whose it is."""
    findings: list[Finding] = []
    for words in texts:
        if _low(town.town.sender.name) not in _low(words.text):
            findings.append(Finding(_missing("source"), True, words.zone, words.language))
        findings += _common(words)
    return tuple(findings)


def refused(findings: Iterable[Finding]) -> tuple[Reason, ...]:
    """Return the reasons that stop the texts, each once."""
    return tuple(dict.fromkeys(finding.reason for finding in findings if finding.refused))


_NAMES: Final = {
    "source": "quién avisa",
    "hazard": "qué peligro",
    "place": "dónde",
    "time": "cuándo",
    "impact": "qué puede pasar",
    "action": "qué hacer",
    "until": "hasta qué hora vale",
    "verify": "dónde comprobar que es cierto",
}


def _missing(element: str) -> Reason:
    return Reason(code=f"lint.missing_{element}", text=f"Al texto le falta decir {_NAMES[element]}.")


def _common(words: ZoneText) -> list[Finding]:
    text = _low(words.text)
    found = [
        (
            bool(_JARGON.search(text)),
            True,
            "lint.jargon",
            "El texto usa palabras de niveles, colores o siglas.",
        ),
        (bool(_BOAST.search(text)), True, "lint.boast", "El texto nombra a una autoridad o un partido."),
        (
            words.segments >= MANY_SEGMENTS,
            False,
            "lint.segments",
            f"El texto cuesta {words.segments} segmentos: saldrá más despacio.",
        ),
        (not is_gsm7(words.text), False, "lint.letters", "Una letra fuera de GSM-7 multiplica el costo."),
    ]
    return [
        Finding(Reason(code=code, text=said), stops, words.zone, words.language)
        for wrong, stops, code, said in found
        if wrong
    ]


def _says_place(zone: str, town: Municipality, text: str) -> bool:
    row = town.zone_of.get(zone)
    return row is not None and any(_low(name) in text for name in (row.name, *row.aliases))


def _says_impact(zone: str, town: Municipality, catalogue: Catalogue, text: str) -> bool:
    row = town.zone_of.get(zone)
    if row is not None and row.impact and _low(row.impact) in text:
        return True
    return _any(catalogue.words("lint.impacts"), text)


def _any(words: Iterable[str], text: str) -> bool:
    return any(re.search(rf"\b{re.escape(_low(word))}\b", text) for word in words)


def _low(text: str) -> str:
    return transliterate(text).lower()
