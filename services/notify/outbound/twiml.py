"""What a call says and asks, as TwiML. Everything comes from the order or from the signed token."""

from __future__ import annotations

from typing import Final

from twilio.twiml.voice_response import VoiceResponse  # type: ignore[import-untyped]  # the SDK ships no types

from schemas.vocabulary import Purpose

MAX_TWIML: Final = 4_000
_WAIT_S: Final = 5
_CODE_DIGITS: Final = 4
_COUNT_DIGITS: Final = 2
_VOICES: Final = {"es": "es-MX", "en": "en-US"}

_ASKED_FOR_CODE: Final = frozenset({Purpose.AUTHORITY})
_ASKED_HOW_MANY: Final = frozenset({Purpose.WITHDRAW})
_WORDS: Final = {
    "es": {
        "thanks": "Gracias. Su respuesta quedó registrada.",
        "again": "No entendimos. Marque 1 si recibió este mensaje, o 2 para pasarlo a otra persona.",
        "again_code": "No entendimos. Marque su código de cuatro números, o 2 para pasarlo a otra persona.",
        "again_count": "No entendimos. Marque cuántas personas salieron y la tecla numeral.",
        "silence_count": "No recibimos respuesta. Volveremos a llamar.",
        "silence": "No recibimos respuesta. Llamaremos a otra persona.",
        "silence_resident": "Fin del mensaje.",
    },
    "en": {
        "thanks": "Thank you. Your answer was recorded.",
        "again": "We did not understand. Press 1 to confirm this message, or 2 to pass it on.",
        "again_code": "We did not understand. Enter your four digit code, or 2 to pass it on.",
        "again_count": "We did not understand. Enter how many people came out, then the hash key.",
        "silence_count": "We received no answer. We will call again.",
        "silence": "We received no answer. We will call somebody else.",
        "silence_resident": "End of message.",
    },
}
_TO_RESIDENTS: Final = frozenset({Purpose.WARNING, Purpose.RENEWAL, Purpose.CORRECTION, Purpose.LIFT})


def call_script(text: str, *, purpose: Purpose, language: str, answered: str, silent: str) -> str:
    """Return the call: the words twice, each time waiting for a digit, then good-bye.

    A text too long for the carrier's limit on inline TwiML is spoken once instead of twice, never cut.
    """
    script = _script(text, purpose, language, answered, silent, times=2)
    return script if len(script) <= MAX_TWIML else _script(text, purpose, language, answered, silent, times=1)


def is_answer(digits: str, purpose: Purpose) -> bool:
    """Say whether a person may have meant these digits: 1, 2, or a code where one is asked."""
    if not digits.isascii() or not digits.isdigit():
        return False
    if purpose in _ASKED_HOW_MANY:
        return len(digits) <= _COUNT_DIGITS
    return digits in {"1", "2"} or (purpose in _ASKED_FOR_CODE and len(digits) == _CODE_DIGITS)


def thanks(language: str) -> str:
    response = VoiceResponse()
    response.say(_words(language)["thanks"], language=_voice(language))
    response.hangup()
    return str(response)


def ask_again(purpose: Purpose, language: str, answered: str, silent: str) -> str:
    """Return the question alone, once more."""
    words = _words(language)[f"again{_asked(purpose)}"]
    return _script(words, purpose, language, answered, silent, times=1)


def goodbye(purpose: Purpose, language: str) -> str:
    response = VoiceResponse()
    name = "silence_count" if purpose in _ASKED_HOW_MANY else "silence"
    words = _words(language)["silence_resident" if purpose in _TO_RESIDENTS else name]
    response.say(words, language=_voice(language))
    response.hangup()
    return str(response)


def empty() -> str:
    """Return a response that says nothing: for a text that came in."""
    return str(VoiceResponse())


def _script(text: str, purpose: Purpose, language: str, answered: str, silent: str, *, times: int) -> str:
    response = VoiceResponse()
    digits = _CODE_DIGITS if purpose in _ASKED_FOR_CODE else 1
    digits = _COUNT_DIGITS if purpose in _ASKED_HOW_MANY else digits
    for _ in range(times):
        gather = response.gather(
            num_digits=digits, timeout=_WAIT_S, finish_on_key="#", action=answered, method="POST"
        )
        gather.say(text, language=_voice(language))
    response.redirect(silent, method="POST")
    return str(response)


def _asked(purpose: Purpose) -> str:
    if purpose in _ASKED_HOW_MANY:
        return "_count"
    return "_code" if purpose in _ASKED_FOR_CODE else ""


def _voice(language: str) -> str:
    return _VOICES.get(language[:2], "es-MX")


def _words(language: str) -> dict[str, str]:
    return _WORDS.get(language[:2], _WORDS["es"])
