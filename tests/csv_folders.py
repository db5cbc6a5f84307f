"""CSV files for tests: clean ones that questions can be asked about, and dirty ones of every kind."""

from __future__ import annotations

import random
from pathlib import Path


def shop_folder(folder: Path, rows: int = 120) -> Path:
    """Write two tables with a common key, NULLs and dates."""
    rng = random.Random(7)
    folder.mkdir(parents=True, exist_ok=True)
    cities = ["Rome", "Oslo", "Lima", "Kyiv", "Bern"]
    lines = ["order_id,city,day,amount,items,note,paid"]
    for i in range(rows):
        note = rng.choice(["", "gift wrap", "express", "call first"])
        day = f"2024-{1 + i % 12:02d}-{1 + i % 27:02d}"
        amount = f"{rng.uniform(1, 90):.2f}" if i % 9 else "NA"
        paid = str(i % 3 > 0)
        lines.append(f"{1000 + i},{rng.choice(cities)},{day},{amount},{rng.randint(1, 9)},{note},{paid}")
    (folder / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    towns = ["town;country;inhabitants;area"]
    towns += [f"{city};{land};{n};{area}" for city, land, n, area in (
        ("Rome", "Italy", 2800000, "1285,3"), ("Oslo", "Norway", 709000, "454,0"), ("Lima", "Peru", 9700000, "2672,3"),
        ("Kyiv", "Ukraine", 2950000, "847,7"), ("Paris", "France", 2100000, "105,4"), ("Bern", "Swiss", 134000, "51,6"),
    )]  # fmt: skip
    (folder / "towns.csv").write_text("\n".join(towns) + "\n", encoding="utf-8")
    return folder


def dirty_folder(folder: Path) -> Path:
    """Write files with everything that can be wrong with a CSV file."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(60)

    def write(name: str, content: str | bytes) -> None:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    body = "".join(f"{i},n{i},{i / 2}\n" for i in numbers)
    write("ragged.csv", "id,name,score\n100,ann,2.5\n101,bob\n\n102,cid,4,extra\n103,dan,5,\nid,name,score\n" + body)
    german = "".join(f"Köln{i};1.{i:03d};{i},{i % 10}5;{i % 28 + 1:02d}.03.2020\n" for i in numbers)
    write("cp1252.csv", f"Stadt;Einwohner;Fläche km²;Tag\n{german}".encode("cp1252"))
    write("utf16.csv", ("ville\tvaleur\n" + "".join(f"Évian{i}\t{i * 1.5}\n" for i in numbers)).encode("utf-16"))
    write("utf16_bare.csv", ("a|b\n" + "".join(f"{i}|x{i % 3}\n" for i in numbers)).encode("utf-16-le"))
    wide, narrow = "".join(f"José{i},Zürich\n" for i in numbers), "".join(f"André{i},Besançon\n" for i in numbers)
    write("mixed.csv", b"name,city\n" + wide.encode() + narrow.encode("cp1252"))
    emoji = "".join(f"{'happy' if i % 3 else 'sad'},{i},{i % 7},{i % 2},{i * 2},{i % 5},{i}\n" for i in numbers)
    write("emoji.csv", f"\ufeff😀 mood,order,select,group by,Order,,class\n{emoji}")
    for name, content in (("header_only", "a,b,c\n"), ("empty", ""), ("blank", "\n\n  \n")):
        write(f"{name}.csv", content)
    write("one_column.csv", "word\n" + "".join(f"w{i % 9}{', and more' if i % 4 == 0 else ''}\n" for i in numbers))
    write("no_header.csv", "".join(f"{i},{i / 7:.3f},k{i % 4}\n" for i in numbers))
    write("years.csv", "country,1990,1991\n" + "".join(f"c{i},{i},{i + 1}\n" for i in numbers))
    write("unclosed.csv", 'a,b\n1,"x\n' + "".join(f"{i},t{i}\n" for i in range(200)))
    write("quoted.csv", "a,b\n" + "".join(f'{i},"line {i}\nnext ""q"" {i}"\n' for i in numbers))
    write("title.csv", "My table\nsource: me\n\ncity,pop,area\n" + "".join(f'c{i},"1,{i:03d}",{i}\n' for i in numbers))
    codes = ["NA" if i % 9 == 0 else "DE" if i % 2 else "FR" for i in numbers]
    write("words.csv", "k,v,w\n" + "".join(
        f"{codes[i]},{'-' if i % 5 == 0 else i},{'n/a' if i % 4 == 0 else i / 4}\n" for i in numbers
    ))  # fmt: skip
    write("moments.csv", "at,n\n" + "".join(f"2020-01-{1 + i % 28:02d}T10:{i:02d}:00+02:00,{i}\n" for i in numbers))
    write("patterns.csv", "*,^a.*$,df\n" + "".join(f"{i},{i % 3},{i * 2}\n" for i in numbers))
    write("zero_bytes.csv", b"a,b\n" + b"".join(b"%d,x\0%d\n" % (i, i) for i in numbers))
    write("excel.csv", "sep=;\na;b\n" + "".join(f"{i};{i},5\n" for i in numbers))
    write("codes.csv", "zip,n\n" + "".join(f"{i:05d},{i}\n" for i in numbers))
    write(
        "wide.csv",
        ",".join(f"c{i}" for i in range(1500)) + "\n" + (",".join("1234567" for _ in range(1500)) + "\n") * 900,
    )
    return folder
