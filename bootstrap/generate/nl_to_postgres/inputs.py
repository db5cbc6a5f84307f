"""Opening a database: one given by URL, read only; or SQL text, parquet files and the demo, loaded into a server of
this program. What is given by URL is never changed. SQL text is loaded by a role without rights on the machine."""

from __future__ import annotations

import fcntl
import itertools
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bootstrap.errors import UserError
from bootstrap.generate.nl_to_postgres.demo import demo_script
from bootstrap.generate.nl_to_postgres.settings import DatabaseConfig, Settings
from interpreters.base import Column, ColumnType, InterpreterError
from interpreters.postgres.folders import DATABASE
from interpreters.postgres.pg_values import UnsupportedError, require_name, to_sql
from interpreters.postgres.places import NamedServer
from interpreters.postgres.server import Server

PAUSES = (0.5, 2.0, 5.0)  # seconds before further attempts to reach a database
CONNECT_SECONDS = 10
CONTENT, LOADER, READER = "content", "content_loader", "content_reader"


class DatabaseError(Exception):
    """A database that cannot be opened, loaded or read. The message is for the report."""


@dataclass(frozen=True)
class Input:
    """One database of the settings, with a name of its own."""

    name: str
    config: DatabaseConfig

    @property
    def external(self) -> bool:
        return bool(self.config.url or self.config.url_env)


def inputs_of(settings: Settings) -> list[Input]:
    """Return the databases, folders of SQL text taken apart. Raises UserError for a path that is not there."""
    found: list[Input] = []
    for config in settings.databases:
        for name, one in _expanded(config):
            taken = {other.name for other in found}
            numbered = (name if n == 1 else f"{name}_{n}" for n in itertools.count(1))
            found.append(Input(next(free for free in numbered if free not in taken), one))
    return found


def _expanded(config: DatabaseConfig) -> Iterator[tuple[str, DatabaseConfig]]:
    if config.demo:
        yield config.name or "demo", config
    elif config.path is None:
        yield config.name or "database", config
    else:
        path = Path(config.path)
        scripts = sorted(path.glob("*.sql")) if path.is_dir() else [path]
        if not path.exists() or not (scripts or list(path.glob("*.parquet"))):
            raise UserError(f"databases: {path} is neither SQL text nor a folder with *.sql or *.parquet files")
        for script in scripts:
            yield (
                (config.name if config.name and len(scripts) == 1 else script.stem),
                config.model_copy(update={"path": str(script)}),
            )
        if not scripts:
            yield config.name or path.resolve().name, config


# -- opening ------------------------------------------------------------------------------------------------------


@contextmanager
def opened(given: Input, settings: Settings, folder: Path) -> Iterator[psycopg.Connection]:
    """Yield a connection that may only read. A server that does not answer is asked again, a few times.

    `folder` holds the locks that keep all processes together within the limit of sessions. Raises DatabaseError,
    InterpreterUnavailable.
    """
    with ExitStack() as stack:
        if given.external:
            stack.enter_context(_slot(folder / ".sessions", settings.sessions))
            target = _external(given.config)
        else:
            target = stack.enter_context(_loaded(given, settings))
        connection = stack.enter_context(_connected(target))
        connection.read_only = True
        milliseconds = int(settings.statement_seconds * 1000)
        try:
            connection.execute("SELECT set_config('statement_timeout', %s, false)", (str(milliseconds),))
            connection.execute("SET datestyle = 'ISO, MDY'")
            connection.execute("SET timezone = 'UTC'")
            connection.commit()
            yield connection
        except psycopg.Error as error:
            raise DatabaseError(_one_line(error)) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


@contextmanager
def _connected(target: Mapping[str, str]) -> Iterator[psycopg.Connection]:
    parameters = {"connect_timeout": str(CONNECT_SECONDS), "application_name": "generate", "client_encoding": "UTF8"}
    conninfo = make_conninfo("", **{**parameters, **target})
    for pause in (*PAUSES, None):
        try:
            connection = psycopg.connect(conninfo, prepare_threshold=None)
            break
        except psycopg.OperationalError as error:
            if pause is None:
                raise DatabaseError(f"not reached in {len(PAUSES) + 1} attempts: {_one_line(error)}") from error
        time.sleep(pause)
    try:
        yield connection
    finally:
        connection.close()


def _external(config: DatabaseConfig) -> dict[str, str]:
    url = config.url or os.environ.get(config.url_env or "", "")
    if not url:
        raise DatabaseError(f"url_env: the environment has no {config.url_env}")
    try:
        return dict(NamedServer(url).conninfo())
    except InterpreterError as error:
        raise DatabaseError(str(error).replace("DATABASE_URL", "url")) from error


@contextmanager
def _slot(folder: Path, number: int) -> Iterator[None]:
    """Hold one of some locks: the kernel gives it back however the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        for index in range(number):
            descriptor = os.open(folder / f"{index}.lock", os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            try:
                yield
            finally:
                os.close(descriptor)
            return
        time.sleep(0.05)


# -- a server of this program -------------------------------------------------------------------------------------


@contextmanager
def _loaded(given: Input, settings: Settings) -> Iterator[dict[str, str]]:
    """Load a database into a server of its own; yield how its reader connects."""
    server = Server(None)
    server.join()
    try:
        admin = server.running().conninfo
        with psycopg.connect(make_conninfo("", **admin), autocommit=True) as connection:
            for role in (LOADER, READER):
                rights = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE")
                connection.execute(rights.format(sql.Identifier(role)))
            connection.execute(sql.SQL("GRANT pg_read_all_data TO {}").format(sql.Identifier(READER)))
            names = sql.Identifier(CONTENT), sql.Identifier(LOADER), sql.Identifier(DATABASE)
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(*names))
        _fill({**admin, "dbname": CONTENT, "user": LOADER}, given, settings)
        yield {**admin, "dbname": CONTENT, "user": READER}
    finally:
        server.leave()


def _fill(target: Mapping[str, str], given: Input, settings: Settings) -> None:
    """Load the content. Raises DatabaseError."""
    path = Path(given.config.path or ".")
    try:
        with psycopg.connect(make_conninfo("", **target)) as connection:
            if path.is_dir() and not given.config.demo:
                for file in sorted(path.glob("*.parquet")):
                    _load_parquet(connection, file)
            else:
                script = demo_script(settings.seed) if given.config.demo else path.read_text(encoding="utf-8-sig")
                connection.execute(script.encode())
            connection.commit()
            connection.autocommit = True
            connection.execute("ANALYZE")
    except (psycopg.Error, UnsupportedError, UnicodeError, OSError) as error:
        raise DatabaseError(f"not loaded: {_one_line(error)}") from error


def _load_parquet(connection: psycopg.Connection, file: Path) -> None:
    """Make a table of a file, called like it."""
    import polars

    try:
        frame = polars.read_parquet(file)
    except polars.exceptions.PolarsError as error:
        raise DatabaseError(f"{file.name} is not read: {_one_line(error)}") from error
    require_name(file.stem, "table")
    heads = []
    for name, kind in frame.schema.items():
        require_name(name, "column")
        heads.append(sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(_sql_type(kind, frame[name].to_list()))))
    target = sql.Identifier(file.stem)
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(target, sql.SQL(", ").join(heads)))
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(target)) as copy:
        for row in frame.iter_rows():
            copy.write_row(row)


def _sql_type(kind: object, values: list[object]) -> str:
    """Return the SQL type of a polars column."""
    import polars

    named: tuple[tuple[tuple[object, ...], ColumnType], ...] = (
        ((polars.Int8, polars.Int16, polars.Int32, polars.Int64, polars.UInt8, polars.UInt16, polars.UInt32,
          polars.UInt64), ColumnType.INT),
        ((polars.Float32, polars.Float64), ColumnType.FLOAT),
        ((polars.Boolean,), ColumnType.BOOL), ((polars.Date,), ColumnType.DATE),
        ((polars.Datetime,), ColumnType.TIMESTAMP), ((polars.Decimal,), ColumnType.DECIMAL),
        ((polars.String, polars.Categorical, polars.Enum), ColumnType.STRING), ((polars.Binary,), ColumnType.BINARY),
    )  # fmt: skip
    for kinds, found in named:
        if kind in kinds:
            return to_sql(Column("column", found), values)[0]  # type: ignore[arg-type]  # plain values of polars
    raise UnsupportedError(f"a parquet column of type {kind} has no counterpart")
