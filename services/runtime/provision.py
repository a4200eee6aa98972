"""One schema and one login role per service on a PostgreSQL server, none with rights on another's."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence

import asyncpg
from sqlalchemy.engine import URL, make_url

_LOCK = 7_020_113


async def provision(admin_url: str, services: Sequence[str], *, secret: str | None = None) -> dict[str, str]:
    """Create what is missing and return each service's own URL. May be called again at any time.

    Args:
        admin_url: A role that may create roles and schemas in the named database.
        services: Names of the services, which become names of schemas.
        secret: Passwords are derived from it and so stay the same; without it, every call sets new ones.
    """
    url = make_url(admin_url).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False), timeout=10)
    try:
        async with connection.transaction():
            await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
            database = await connection.fetchval("SELECT current_database()")
            await _close_public(connection, database)
            return {service: await _one(connection, url, database, service, secret) for service in services}
    finally:
        await connection.close()


async def _close_public(connection: asyncpg.Connection, database: str) -> None:
    await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    await connection.execute(f"REVOKE ALL ON DATABASE {_quoted(database)} FROM PUBLIC")


async def _one(
    connection: asyncpg.Connection, url: URL, database: str, service: str, secret: str | None
) -> str:
    role = f"{database}_{service}"[:63]
    password = _password(secret, role)
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(f"CREATE ROLE {_quoted(role)} NOINHERIT")
    for statement in _statements(_quoted(database), _quoted(role), _quoted(service), password):
        await connection.execute(statement)
    return url.set(username=role, password=password).render_as_string(hide_password=False)


def _statements(database: str, role: str, schema: str, password: str) -> tuple[str, ...]:
    return (
        f"ALTER ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{password}'",
        f"GRANT {role} TO CURRENT_USER",
        f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}",
        f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {role}",
        f"ALTER SCHEMA {schema} OWNER TO {role}",
        f"REVOKE ALL ON SCHEMA {schema} FROM PUBLIC",
        f"ALTER ROLE {role} IN DATABASE {database} SET search_path = {schema}",
    )


def _password(secret: str | None, role: str) -> str:
    """Return a password of hexadecimal digits, so that it needs no quoting anywhere."""
    if secret is None:
        return secrets.token_hex(24)
    return hmac.new(secret.encode(), role.encode(), hashlib.sha256).hexdigest()[:48]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
