"""The pages behind a link: plain HTML for a small screen, Spanish first, no script, nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from fastapi.responses import HTMLResponse

from schemas.vocabulary import Purpose
from services.notify.outbound.link_token import Link

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
}
_STYLE: Final = (
    "body{font:18px/1.5 system-ui,sans-serif;margin:0 auto;max-width:24em;padding:1.2em;color:#111;"
    "background:#fff}h1{font-size:1.3em}button{font:inherit;font-weight:600;width:100%;padding:.8em;"
    "margin:.4em 0;border:2px solid #111;border-radius:.4em;background:#fff;color:#111}"
    "button.first{background:#111;color:#fff}small{color:#555}"
)
_ASKS: Final = {
    Purpose.PAGE: ("Aviso para usted", "Confirme que leyó el mensaje que trae este enlace."),
    Purpose.AUTHORITY: (
        "Se le pide autorización",
        "Confirme que leyó la pregunta. Autorizar se hace respondiendo el mensaje con su código.",
    ),
}
_BUTTONS: Final = ("Sí, lo leí", "No puedo: que siga otra persona")
_SAID: Final = {
    "kept": ("Respuesta recibida", "Gracias. Puede cerrar esta página."),
    "answered": ("Ya había respondido", "Su respuesta quedó registrada antes. No hace falta nada más."),
    "expired": ("Este enlace venció", "Responda el último mensaje que recibió, o llame a la central."),
    "altered": ("Este enlace no es válido", "Ábralo desde el mensaje que recibió, sin cambiarlo."),
    "unclear": ("No se entendió la respuesta", "Abra otra vez el enlace y elija un botón."),
}
_ENGLISH: Final = {
    "ask": "You were sent a message. Confirm that you have read it, or pass it on.",
    "kept": "Answer received.",
    "answered": "You had answered already.",
    "expired": "This link has expired.",
    "altered": "This link is not valid.",
    "unclear": "The answer was not understood.",
}


def question(link: Link) -> HTMLResponse:
    """Return what the link would do, with a button for each answer; looking does nothing."""
    title, text = _ASKS[link.purpose]
    yes, other = _BUTTONS
    form = (
        '<form method="post">'
        f'<button class="first" name="act" value="ok">{escape(yes)}</button>'
        f'<button name="act" value="pass">{escape(other)}</button></form>'
    )
    return _page(200, title, text, form, _ENGLISH["ask"])


def said(what: str, status: int = 200) -> HTMLResponse:
    """Return the page that says what became of an answer, or why there is none."""
    title, text = _SAID[what]
    return _page(status, title, text, "", _ENGLISH[what])


def _page(status: int, title: str, text: str, more: str, english: str) -> HTMLResponse:
    body = (
        '<!doctype html><html lang="es"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1><p>{escape(text)}</p>{more}"
        f'<p lang="en"><small>{escape(english)}</small></p></body></html>'
    )
    return HTMLResponse(body, status_code=status, headers=dict(HEADERS))
