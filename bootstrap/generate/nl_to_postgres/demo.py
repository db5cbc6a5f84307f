"""The demo database as SQL text, made from a seed: a shop with staff, over three schemas.

It has what real databases trouble a generator with: foreign keys (one of two columns, one to its own table), comments,
personal data, NULLs, an empty table, names that are keywords, hold spaces or are no words at all, a table name that
two schemas share, and types without a counterpart elsewhere.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Sequence

_DDL = """
CREATE SCHEMA sales; CREATE SCHEMA hr; CREATE SCHEMA "odd names";
CREATE TABLE sales.customers (
  customer_id integer PRIMARY KEY, full_name text NOT NULL, email varchar(80) UNIQUE, phone text, birth_date date,
  city text, country char(2) NOT NULL, credit_limit numeric(10,2), joined_on date NOT NULL, newsletter boolean);
CREATE TABLE sales.categories (category_id integer PRIMARY KEY, title text NOT NULL UNIQUE);
CREATE TABLE sales.products (
  product_id integer PRIMARY KEY, category_id integer REFERENCES sales.categories, name text NOT NULL,
  price numeric(8,2) NOT NULL, weight_kg double precision, discontinued boolean NOT NULL DEFAULT false, tags text[]);
CREATE TABLE sales.orders (
  order_id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES sales.customers, ordered_at timestamp NOT NULL,
  shipped_on date, status text NOT NULL, seller_id integer);
CREATE TABLE sales.order_items (
  order_id integer REFERENCES sales.orders, line_no smallint, product_id integer NOT NULL REFERENCES sales.products,
  quantity integer NOT NULL, unit_price numeric(8,2) NOT NULL, discount real, PRIMARY KEY (order_id, line_no));
CREATE TABLE sales.returns (
  return_id integer PRIMARY KEY, order_id integer NOT NULL, line_no smallint NOT NULL, reason text,
  returned_on date NOT NULL, FOREIGN KEY (order_id, line_no) REFERENCES sales.order_items);
CREATE TABLE sales.vouchers (
  code text PRIMARY KEY, amount numeric(6,2), customer_id integer REFERENCES sales.customers);
CREATE TABLE sales.notes (
  note_id integer PRIMARY KEY, customer_id integer REFERENCES sales.customers, body text, extra jsonb);
CREATE TABLE hr.departments (dept_code text PRIMARY KEY, name text NOT NULL, budget bigint);
CREATE TABLE hr.employees (
  employee_id integer PRIMARY KEY, first_name text, last_name text, dept_code text REFERENCES hr.departments,
  manager_id integer REFERENCES hr.employees, salary numeric(10,2), hired_on date, ssn text, card_number bigint);
CREATE TABLE hr.notes (note_id integer PRIMARY KEY, employee_id integer REFERENCES hr.employees, body text);
CREATE TABLE "odd names"."select" (
  "from" integer PRIMARY KEY, "group by" text, "unit price €" numeric(8,2), "😀 mood" text, "camelCase" integer);
ALTER TABLE sales.orders ADD FOREIGN KEY (seller_id) REFERENCES hr.employees;
COMMENT ON TABLE sales.orders IS 'What customers ordered';
COMMENT ON COLUMN sales.orders.seller_id IS 'employee who sold it';
COMMENT ON COLUMN sales.customers.credit_limit IS 'credit limit in euros';
COMMENT ON COLUMN sales.products.weight_kg IS 'weight in kilograms';
COMMENT ON COLUMN hr.departments.budget IS 'yearly budget';
"""
_CITIES = (("Porto", "PT"), ("Lyon", "FR"), ("Graz", "AT"), ("Turin", "IT"), ("Bergen", "NO"), ("Lille", "FR"))
_FIRST = ("Ada", "Bruno", "Clara", "Dario", "Elena", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Karin", "Leo", "Mira")
_LAST = ("Albrecht", "Bonetti", "Castro", "Dahl", "Eriksen", "Fontaine", "Gruber", "Horvat", "Ibsen", "Jansen")
_TITLES = ("books", "garden", "kitchen", "music", "office", "sports", "toys")
_THINGS = ("lamp", "kettle", "racket", "notebook", "flute", "shovel", "puzzle", "desk", "ball", "pan", "atlas", "hose")
_KINDS = ("red", "small", "classic", "travel", "large", "blue")
_STATUS = ("new", "paid", "shipped", "cancelled")
_REASONS = ("broken", "too late", "wrong item", None)
_SIGNS = ("a", "B", "it's", "back\\slash", "")
_DEPARTMENTS = (("ADM", "Administration"), ("LOG", "Logistics"), ("MKT", "Marketing"), ("SAL", "Sales"))
_START = dt.date(2023, 1, 9)
_CUSTOMERS, _PRODUCTS, _ORDERS, _EMPLOYEES = 90, 60, 260, 34

Rows = list[Sequence[object]]


def demo_script(seed: int) -> str:
    """Return the whole database as SQL text, the same for a seed."""
    rng = random.Random(f"demo:{seed}")
    people, orders = _people(rng), _orders(rng)
    items = _items(rng)
    content: list[tuple[str, Rows]] = [
        ("sales.customers", people),
        ("sales.categories", [(i + 1, title) for i, title in enumerate(_TITLES)]),
        ("sales.products", _products(rng)),
        ("hr.departments", [(code, name, rng.randrange(20, 400) * 1000) for code, name in _DEPARTMENTS]),
        ("hr.employees", _employees(rng)),
        ("sales.orders", orders),
        ("sales.order_items", items),
        ("sales.returns", _returns(rng, items)),
        ("sales.notes", _notes(rng, people)),
        ("hr.notes", [(i, rng.randint(1, _EMPLOYEES), rng.choice(("review", "training", None))) for i in range(1, 20)]),
        ('"odd names"."select"', _odd(rng)),
    ]
    return _DDL + "".join(_insert(table, rows) for table, rows in content)


def _insert(table: str, rows: Iterable[Sequence[object]]) -> str:
    lines = ",\n".join(f"({', '.join(map(_literal, row))})" for row in rows)
    return f"INSERT INTO {table} VALUES\n{lines};\n"


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def _maybe(rng: random.Random, value: object, missing: float = 0.1) -> object:
    return None if rng.random() < missing else value


def _money(rng: random.Random, low: int, high: int) -> str:
    return f"{rng.randint(low, high)}.{rng.choice((0, 25, 50, 75, 90, 99)):02d}"


def _person(rng: random.Random) -> tuple[str, str]:
    return rng.choice(_FIRST), rng.choice(_LAST)


def _people(rng: random.Random) -> Rows:
    rows: Rows = []
    for number in range(1, _CUSTOMERS + 1):
        first, last = _person(rng)
        city, country = rng.choice(_CITIES)
        phone = f"+{rng.randint(30, 49)} {rng.randint(100, 999)} {rng.randint(100000, 999999)}"
        born = dt.date(1948, 1, 1) + dt.timedelta(rng.randrange(20_000))
        rows.append((
            number, f"{first} {last}", f"{first}.{last}{number}@mail.example".lower(), _maybe(rng, phone),
            _maybe(rng, born), _maybe(rng, city), country, _maybe(rng, rng.randrange(5, 60) * 100, 0.15),
            _START + dt.timedelta(rng.randrange(700)), _maybe(rng, rng.random() < 0.6),
        ))  # fmt: skip
    return rows


def _products(rng: random.Random) -> Rows:
    names = rng.sample([f"{kind} {thing}" for kind in _KINDS for thing in _THINGS], _PRODUCTS)
    return [
        (number, _maybe(rng, rng.randint(1, len(_TITLES) - 1), 0.05), name, _money(rng, 2, 180),
         _maybe(rng, round(rng.uniform(0.1, 12), 2), 0.2), rng.random() < 0.15, "{" + name.split()[0] + "}")
        for number, name in enumerate(names, 1)
    ]  # fmt: skip


def _orders(rng: random.Random) -> Rows:
    rows: Rows = []
    for number in range(1, _ORDERS + 1):
        day = _START + dt.timedelta(rng.randrange(730))
        at = dt.datetime.combine(day, dt.time(rng.randrange(7, 22), rng.randrange(60)))
        status = rng.choice(_STATUS)
        shipped = day + dt.timedelta(rng.randrange(1, 15)) if status == "shipped" else None
        seller = _maybe(rng, rng.randint(1, _EMPLOYEES), 0.2)
        rows.append((1000 + number, rng.randint(1, _CUSTOMERS - 12), at, shipped, status, seller))
    return rows


def _items(rng: random.Random) -> Rows:
    return [
        (1000 + number, line, rng.randint(1, _PRODUCTS - 5), rng.randint(1, 12), _money(rng, 2, 180),
         _maybe(rng, rng.choice((0.05, 0.1, 0.25)), 0.6))
        for number in range(1, _ORDERS - 5) for line in range(1, rng.randint(2, 5))
    ]  # fmt: skip


def _returns(rng: random.Random, items: Rows) -> Rows:
    chosen = rng.sample(items, 40)
    return [
        (number, item[0], item[1], rng.choice(_REASONS), _START + dt.timedelta(rng.randrange(400, 800)))
        for number, item in enumerate(chosen, 1)
    ]  # fmt: skip


def _employees(rng: random.Random) -> Rows:
    codes = [code for code, _ in _DEPARTMENTS[:3]]
    return [
        (number, *_person(rng), _maybe(rng, rng.choice(codes)), None if number == 1 else rng.randint(1, number - 1),
         _money(rng, 2100, 7900), _START - dt.timedelta(rng.randrange(4000)),
         f"{rng.randint(100, 899)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}",
         _maybe(rng, 4_000_000_000_000_000 + rng.randrange(10**15), 0.3))
        for number in range(1, _EMPLOYEES + 1)
    ]  # fmt: skip


def _notes(rng: random.Random, people: Rows) -> Rows:
    rows: Rows = []
    for number in range(1, 41):
        person = rng.choice(people)
        body = rng.choice((f"call {person[1]} back", f"{person[1]} prefers mail to {person[2]}", "asked for a refund"))
        rows.append((number, person[0], _maybe(rng, body), '{"channel": "web"}' if number % 3 else None))
    return rows


def _odd(rng: random.Random) -> Rows:
    return [
        (i, rng.choice(_SIGNS), _money(rng, 1, 50), rng.choice(("😀", "😢", None)), i % 7)
        for i in range(1, 31)
    ]  # fmt: skip
