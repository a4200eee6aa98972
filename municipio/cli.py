"""The command line ``municipio``.

Exit: 0 yes · 1 the answer is "no" · 2 wrong use · 3 a dependency is down · 70 our fault · 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from municipio.commands import (
    backtest,
    console,
    dead_letters,
    decide,
    incidents,
    keys,
    record,
    replay,
    residents,
    rulebook,
    status,
    up,
    warnings,
)
from municipio.errors import MunicipioError

EXIT_OUR_FAULT = 70
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="municipio",
    help="Emergency alerting of a municipality: what it starts, what it decides, what it sent.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("up")(up.up)
app.command("status")(status.status)
app.command("replay")(replay.replay)
app.command("record")(record.record)
app.command("backtest")(backtest.backtest)
app.command("decide")(decide.decide)
app.add_typer(rulebook.app, name="rulebook")
app.add_typer(incidents.app, name="incidents")
app.add_typer(warnings.app, name="warnings")
app.add_typer(keys.app, name="keys")
app.add_typer(residents.app, name="residents")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(console.app, name="console")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; whatever goes wrong is one line on stderr and an exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    try:
        return int(app(args=list(arguments), standalone_mode=False) or 0)
    except MunicipioError as err:
        return _said(str(err), err.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except typer.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as err:  # The last line before a person.
        return _unexpected(err)


def _unexpected(err: Exception) -> int:
    if hasattr(err, "format_message") and hasattr(err, "exit_code"):  # A usage error of the command line.
        return _said(f"{err.format_message()} (try --help)", 2)
    if os.environ.get("MUNICIPIO_LOG_LEVEL") == "DEBUG":
        raise err
    return _said(f"our fault: {type(err).__name__}: {err}", EXIT_OUR_FAULT)


def _said(sentence: str, code: int) -> int:
    print(" ".join(sentence.split()), file=sys.stderr)
    return code
