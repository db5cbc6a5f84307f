"""The connection with which a checker makes and removes its roles and schemas, and ends sessions.

Everything that a checker makes is called `checker_<database>_<owner>_...`, and the owner holds an advisory lock on its
number as long as it is connected. So whoever comes later can tell what belongs to nobody any more, and removes that;
nothing else is ever removed.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from interpreters.base import InterpreterError, InterpreterUnavailable
from interpreters.postgres.binaries import OLDEST
from interpreters.postgres.places import Place

CRASHED = "57P02"  # what a server tells its sessions when another session's process has crashed
CONNECT_SECONDS = 10
END_SECONDS = 5.0  # until a session that was told to end has ended
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts to connect
_LOCK_CLASS = 0x636B7231
_SETTINGS = {
    "search_path": "pg_catalog", "default_transaction_read_only": "on", "cursor_tuple_fraction": "1",
    "idle_in_transaction_session_timeout": "0", "max_parallel_workers_per_gather": "0", "jit": "off",
    "timezone": "UTC", "datestyle": "ISO, MDY", "intervalstyle": "postgres", "bytea_output": "hex",
    "extra_float_digits": "1",
}  # fmt: skip
_SETTINGS_ON_LINUX = {"client_connection_check_interval": "500ms"}  # a query ends soon after its client has gone

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Role:
    """Who may read one problem's tables. `conninfo` is what to connect with, password included."""

    name: str
    conninfo: str


class Admin:
    """One owner's connection. Not thread-safe. Its methods raise psycopg.OperationalError when the server has gone."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._connection = _connect(place, patient=True)
        self._notices: list[str | None] = []
        self._connection.add_notice_handler(lambda notice: self._notices.append(notice.sqlstate))
        try:
            if self._place.external:
                self._require_rights()
            [self._database, version, self._super, on_linux] = self._row(
                "SELECT d.oid, current_setting('server_version'), u.rolsuper, version() LIKE '%%linux%%' "
                "FROM pg_database d, pg_roles u WHERE d.datname = current_database() AND u.rolname = current_user"
            )
            self.version = version.split()[0]
            self._settings = _SETTINGS | (_SETTINGS_ON_LINUX if on_linux else {})
            self._take_number()
            self._remove_abandoned()
        except BaseException:
            self._connection.close()
            raise

    # -- who we are -----------------------------------------------------------------------------------------------

    def _row(self, query: LiteralString, *values: object) -> tuple[Any, ...]:
        row = self._connection.execute(query, values).fetchone()
        assert row is not None
        return row

    def _require_rights(self) -> None:
        if self._connection.info.server_version < OLDEST * 10000:
            raise InterpreterUnavailable(
                f"DATABASE_URL: expected PostgreSQL {OLDEST} or newer, found {self._connection.info.server_version}"
            )
        user, database, may_create_roles, may_create, encoding = self._row(
            "SELECT current_user, current_database(), rolsuper OR rolcreaterole, "
            "has_database_privilege(current_database(), 'CREATE'), current_setting('server_encoding') "
            "FROM pg_roles WHERE rolname = current_user"
        )
        if not (may_create_roles and may_create):
            raise InterpreterUnavailable(
                f"DATABASE_URL: role {user} must be able to make roles, and schemas in database {database}. "
                f'Let an administrator run: ALTER ROLE "{user}" CREATEROLE; '
                f'GRANT CREATE ON DATABASE "{database}" TO "{user}";'
            )
        if encoding != "UTF8":
            raise InterpreterUnavailable(f"DATABASE_URL: expected a database in UTF8, {database} is in {encoding}")

    def _take_number(self) -> None:
        while True:
            self._number = secrets.randbelow(2**31)
            [taken] = self._row("SELECT pg_try_advisory_lock(%s, %s)", _LOCK_CLASS, self._number)
            if taken:
                break
        self._prefix = f"checker_{self._database}_"
        self._names = (f"{self._prefix}{self._number:08x}_{n}" for n in itertools.count())

    # -- what is abandoned ----------------------------------------------------------------------------------------

    def _remove_abandoned(self) -> None:
        """Remove roles and schemas whose owners have gone, where this user may."""
        pattern = f"^{self._prefix}([0-9a-f]{{8}})_[0-9]+"
        rows = self._connection.execute(
            "SELECT nspname, 'SCHEMA' FROM pg_namespace WHERE nspname ~ %s "
            "UNION ALL SELECT rolname, 'ROLE' FROM pg_roles WHERE rolname ~ %s ORDER BY 2 DESC",  # schemas first
            (pattern, pattern),
        ).fetchall()
        by_owner: dict[int, list[tuple[str, str]]] = {}
        for name, kind in rows:
            found = re.match(pattern, name)
            assert found is not None
            by_owner.setdefault(int(found[1], 16), []).append((name, kind))
        for owner, things in by_owner.items():
            if self._row("SELECT pg_try_advisory_lock(%s, %s)", _LOCK_CLASS, owner)[0]:
                with contextlib.suppress(psycopg.errors.InsufficientPrivilege):  # another administrator's
                    for name, kind in things:
                        if kind == "ROLE":  # nobody may find its tables gone: its owner may live, without connection
                            self._execute("ALTER ROLE {} NOLOGIN", name)
                            self.end_sessions(name)
                    for name, kind in things:
                        self.remove(name, kind)
                    log.info("removed %d roles and schemas that a checker had left on the server", len(things))
                self._row("SELECT pg_advisory_unlock(%s, %s)", _LOCK_CLASS, owner)

    def remove(self, name: str, kind: str) -> None:
        """Remove a role or a schema of a checker."""
        if kind == "ROLE":
            self.end_sessions(name)
            self._execute("DROP ROLE IF EXISTS {}", name)
        else:
            self._execute("DROP SCHEMA IF EXISTS {} CASCADE", name)

    def _execute(self, statement: LiteralString, *names: str) -> None:
        self._connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    # -- roles and sessions ---------------------------------------------------------------------------------------

    def connection(self) -> psycopg.Connection:
        """Return the connection, for loading tables."""
        return self._connection

    def new_role(self) -> Role:
        """Make a role that may do nothing yet but connect."""
        name = next(self._names)
        parameters = self._connection.info.get_parameters()
        for key in ("password", "passfile", "options", "application_name", "client_encoding"):
            parameters.pop(key, None)
        self._execute(
            "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT "
            "CONNECTION LIMIT 8", name
        )  # fmt: skip
        for key, value in self._settings.items():
            statement = sql.SQL("ALTER ROLE {} SET {} = {}")
            self._connection.execute(statement.format(sql.Identifier(name), sql.Identifier(key), sql.Literal(value)))
        if self._place.external:
            parameters["password"] = self._give_password(name)
        if not self._super:
            self._execute("GRANT {} TO CURRENT_USER", name)  # else its sessions could not be ended
        parameters |= {"user": name, "client_encoding": "UTF8", "gssencmode": "disable"}
        return Role(name, make_conninfo("", **parameters))

    def _give_password(self, name: str) -> str:
        password = secrets.token_urlsafe(24)
        hashed = self._connection.pgconn.encrypt_password(password.encode(), name.encode()).decode()
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(hashed))
        self._connection.execute(statement)
        return password

    def sessions(self, role: str) -> list[int]:
        """Return the processes of a role's sessions."""
        rows = self._connection.execute("SELECT pid FROM pg_stat_activity WHERE usename = %s", (role,)).fetchall()
        return [pid for [pid] in rows]

    def end_sessions(self, role: str) -> list[int]:
        """Cancel what a role's sessions do, and end them; return the processes that do not listen."""
        sessions = "SELECT pid, {}(pid) FROM pg_stat_activity WHERE usename = %s"
        if not self._connection.execute(sessions.format("pg_cancel_backend"), (role,)).fetchall():
            return []
        deadline = time.monotonic() + END_SECONDS
        pause = 0.001
        while True:
            left = self._connection.execute(sessions.format("pg_terminate_backend"), (role,)).fetchall()
            if not left or time.monotonic() > deadline:
                return [pid for pid, _ in left]
            time.sleep(pause)
            pause = min(pause * 2, 0.1)

    # -- the server's health --------------------------------------------------------------------------------------

    def alive(self) -> bool:
        """Say whether the connection still works."""
        try:
            self._row("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def takes_others(self) -> bool:
        """Say whether the server takes new connections, which it does not once its main process has gone."""
        try:
            with _connect(self._place, patient=False):
                return True
        except InterpreterError:
            return False

    def crashed(self) -> bool:
        """Say whether the server told before it left that another session's process had crashed."""
        return CRASHED in self._notices

    def close(self) -> None:
        self._connection.close()


def _connect(place: Place, patient: bool) -> psycopg.Connection:
    """Connect; a server that starts, or starts anew after a crash, refuses for some tenths of a second."""
    parameters = {"connect_timeout": str(CONNECT_SECONDS), "application_name": "checker", "client_encoding": "UTF8"}
    for pause in (*_PAUSES, None):
        target = make_conninfo("", **{**parameters, **place.conninfo()})
        try:
            return psycopg.connect(target, autocommit=True, prepare_threshold=None)
        except psycopg.OperationalError as error:
            if pause is None or not (patient and place.worth_waiting()):
                raise InterpreterError(f"no connection to PostgreSQL: {' '.join(str(error).split())}") from error
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")
