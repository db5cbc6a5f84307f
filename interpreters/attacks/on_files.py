"""Attacks in Python on files: reading, writing, changing. See attacks.py."""

from __future__ import annotations

from interpreters.attacks.effects import (
    Attack,
    Effect,
    Language,
    listed_root,
    nothing_special,
    read_passwd,
    went_through,
)

_IMPORTS = (
    "os, sys, time, ctypes = map(__import__, 'os sys time ctypes'.split())\n"
    "libc = ctypes.CDLL(None, use_errno=True)\nwhole = ctypes.c_size_t\n"
)


def _file(number: int, name: str, code: str, succeeded: Effect = nothing_special, on: Language = "python") -> Attack:
    return Attack(number, name, on, _IMPORTS + code, succeeded)


def _call(number: int, name: str, call: str) -> Attack:
    """An attack by one call of libc, which tells its error so that it can be seen in the table."""
    return _file(number, name, f"if {call} < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))")


_BY_HANDLE = """
handle = (ctypes.c_byte * 136)(128)
mount = ctypes.c_int()
found = libc.name_to_handle_at(-100, b'@secret', handle, ctypes.byref(mount), 0)
if found < 0: raise OSError(ctypes.get_errno(), 'name')
fd = libc.open_by_handle_at(os.open('.', os.O_RDONLY), handle, os.O_RDONLY)
if fd < 0: raise OSError(ctypes.get_errno(), 'open')
raise RuntimeError(os.read(fd, 280).decode())
"""
_OPENAT2 = """
how = (ctypes.c_uint64 * 3)(0, 0, 0)
fd = libc.syscall(437, -100, b'@secret', ctypes.byref(how), 24)
if fd < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
raise RuntimeError(os.read(fd, 280).decode())
"""
_BY_ROOTS = """
for root in ('/proc/self/root', '/proc/@victim/root', '/proc/@caller/root', '/proc/1/root', '../../../../..'):
    try: text = open(root + '@secret').read()
    except OSError as error: text = str(error)
    else: break
raise RuntimeError(text[:280])
"""
_LINK = "os.symlink('@secret', 'link')\nraise RuntimeError(open('link').read())"
_HARD_LINK = "os.link('@secret', 'link')\nraise RuntimeError(open('link').read())"
_LOADER = "raise RuntimeError(__import__('linecache').getlines('@secret')[0])"

_OWN_ENGINE = """
engine = ibis.get_backend(t) if t.op().__class__.__name__ != 'UnboundTable' else ibis.duckdb.connect()
raise RuntimeError(str(engine.raw_sql("FROM read_text('@secret')").fetchall()))
"""
_READS = [
    _file(12, "a file", "raise RuntimeError(open('@secret').read())"),
    _file(12, "a file, by libc", "fd = libc.open(b'@secret', 0)\nraise RuntimeError(os.read(fd, 280).decode())"),
    _file(12, "a file, by openat2", _OPENAT2),
    _file(12, "a file, by handle", _BY_HANDLE),
    _file(12, "a file, through a symbolic link", _LINK),
    _file(12, "a file, through a hard link", _HARD_LINK),
    _file(12, "a file, through other roots", _BY_ROOTS),
    _file(12, "a file, through a module of Python", _LOADER),
    _file(
        12,
        "a file, mapped",
        "f = open('@secret', 'rb')\nraise RuntimeError(__import__('mmap').mmap(f.fileno(), 0, access=1)[:])",
    ),
    _file(12, "/etc/passwd", "raise RuntimeError(open('/etc/passwd').read(280))", read_passwd),
    _file(
        12,
        "a file, by the engine",
        "raise RuntimeError(repr(pl.read_csv('@secret', has_header=False).rows()))",
        on="polars",
    ),
    _file(12, "a file, by the lazy engine", "result = pl.scan_csv('@secret', has_header=False)", on="polars"),
    _file(12, "a file, as its result", "result = pl.read_csv('@secret', has_header=False)", on="polars"),
    _file(12, "a file, by the engine", "result = ibis.duckdb.connect().read_csv('@secret', header=False)", on="ibis"),
    _file(
        12,
        "a file, by a statement",
        "result = t.sql(\"SELECT * FROM read_text('@secret')\", dialect='duckdb')",
        on="ibis",
    ),
    _file(12, "a file, by the default engine", "result = ibis.read_csv('@secret', header=False)", on="ibis"),
    _file(12, "a file, by the engine of its input", _OWN_ENGINE, on="ibis"),
    _file(
        12,
        "a file, by SQL",
        "raise RuntimeError(ibis.duckdb.connect().con.sql(\"FROM read_text('@secret')\").fetchall())",
        on="ibis",
    ),
    _file(
        12,
        "a file, by an engine of its own",
        "raise RuntimeError(__import__('duckdb').sql(\"FROM read_text('@secret')\").fetchall())",
        on="ibis",
    ),
    _file(13, "the root folder", "raise RuntimeError(' '.join(os.listdir('/')))", listed_root),
    _file(13, "a folder", "raise RuntimeError(' '.join(os.listdir('@folder')))"),
    _file(13, "a folder, by a pattern", "raise RuntimeError(' '.join(__import__('glob').glob('@folder/*')))"),
]

_ENVIRONMENTS = """
text = ''
for pid in ['@victim', '@caller', *filter(str.isdigit, os.listdir('/proc'))]:
    try: all = open(f'/proc/{pid}/environ').read()
    except OSError: continue
    if 'sesa' + 'me-' in all: text += all[all.index('sesa' + 'me-'):][:60]
raise RuntimeError(text[:280])
"""
_MEMORY = """
with open('/proc/@victim/mem', 'rb', 0) as memory:
    memory.seek(@address)
    raise RuntimeError(memory.read(60).decode('latin1'))
"""
_PROCESSES = [
    _file(14, "the environment of other processes", _ENVIRONMENTS),
    _file(14, "the memory of another process, as a file", _MEMORY),
    _file(
        14,
        "writes the memory of another process",
        "f = open('/proc/@victim/mem', 'r+b', 0)\nf.seek(@address)\nf.write(b'x')\nopen('@file', 'w').write('')",
    ),
    _file(
        14,
        "the score by which the kernel kills another process",
        "open('/proc/@victim/oom_score_adj', 'w').write('900')",
    ),
]

_DEEP_FOLDERS = """
for _ in range(3000):
    os.mkdir('d' * 50)
    os.chdir('d' * 50)
"""
_LOCKED_FOLDER = "os.makedirs('a/b')\nopen('a/b/c', 'w')\nos.chmod('a/b', 0)\nos.chmod('a', 0)\nos.chmod('.', 0)"
_MANY_FILES = "for i in range(10**9): open(str(i), 'w').close()"
_MAPPED_FILE = "f = open('@out', 'w+b')\nf.truncate(4096)"
_SHARED = "if libc.{get} < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))"

_WRITES = [
    *(
        _file(16, f"a new file in {folder}", f"open('{folder}/@marker', 'w').write('x')")
        for folder in ("/tmp", "/var/tmp", "/dev/shm")
    ),
    _file(16, "a new file beside others", "open('@out', 'w').write('x')"),
    _file(16, "a new folder", "os.mkdir('@out')"),
    _file(16, "a new symbolic link", "os.symlink('/', '@out')"),
    _file(16, "a new hard link", "os.link('@file', '@out')"),
    _file(16, "a new pipe", "os.mkfifo('@out')"),
    _file(16, "a new device", "os.mknod('@out', 0o20666, os.makedev(1, 3))"),
    _file(16, "a new socket", "s = __import__('socket').socket(1)\ns.bind('@out')"),
    _file(16, "a new file of some size", _MAPPED_FILE),
    _file(16, "a new file, by the engine", "t.write_csv('@out')", on="polars"),
    _file(16, "a new file, by the engine's stream", "t.lazy().sink_parquet('@out')", on="polars"),
    _file(16, "a new file, by the engine", "t.to_csv('@out')", on="ibis"),
    _file(16, "a new database", "ibis.duckdb.connect('@out').raw_sql('CREATE TABLE x AS SELECT 1')", on="ibis"),
    _file(16, "a folder too deep to be removed", _DEEP_FOLDERS),
    _file(16, "a folder that nobody may enter", _LOCKED_FOLDER),
    _file(16, "as many files as there is time for", _MANY_FILES),
    _file(16, "its working folder removed", "os.rmdir(os.getcwd())"),
    _file(16, "shared memory that stays", _SHARED.format(get="shmget(@key, 65536, 0o1666)")),
    _file(16, "a message queue that stays", _SHARED.format(get="msgget(@key, 0o1666)")),
    _file(16, "semaphores that stay", _SHARED.format(get="semget(@key, 8, 0o1666)")),
    _file(17, "overwrites a file", "open('@file', 'w').write('changed')"),
    _file(17, "appends to a file", "open('@file', 'a').write('changed')"),
    _file(17, "cuts a file", "os.truncate('@file', 0)"),
    _file(17, "removes a file", "os.unlink('@file')"),
    _file(17, "renames a file", "os.rename('@file', '@out')"),
    _file(17, "replaces a file", "open('mine', 'w').close()\nos.replace('mine', '@file')"),
    _file(17, "removes a folder", "__import__('shutil').rmtree('@folder')"),
]

_NR = "{'x86_64': %d, 'aarch64': %d}[os.uname().machine]"
_SETXATTRAT = """
value = ctypes.create_string_buffer(b'x')
new = (ctypes.c_uint64 * 2)(ctypes.addressof(value), 1)
if libc.syscall(463, -100, b'@file', whole(0), b'user.@marker', ctypes.byref(new), whole(16)) < 0:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
raise RuntimeError('went' + ' through')
"""
_FILE_SETATTR = """
new = (ctypes.c_uint64 * 3)(0x80)
if libc.syscall(469, -100, b'@file', ctypes.byref(new), whole(24), whole(0)) < 0:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
raise RuntimeError('went' + ' through')
"""
_CHANGES = [
    _file(18, "mode of a file", "os.chmod('@file', 0o777)"),
    _call(18, "mode of a file, by fchmodat2", "libc.syscall(452, -100, b'@file', 0o777, 0)"),
    _call(
        18,
        "mode of a file, by the old call",
        f"libc.syscall({_NR % (90, 53)}, *({{'x86_64': (), 'aarch64': (-100,)}}[os.uname().machine]), b'@file', 0o777)",
    ),
    _file(18, "owner of a file", "os.chown('@file', 1, 1)"),
    _file(18, "owner of a file, without following links", "os.lchown('@file', 1, 1)"),
    _file(18, "times of a file", "os.utime('@file', (1, 1))"),
    _call(18, "times of a file, by the old call", "libc.utimes(b'@file', None)"),
    _file(18, "attributes of a file", "os.setxattr('@file', 'user.@marker', b'x')"),
    _file(18, "attributes of a file, by setxattrat", _SETXATTRAT, went_through),
    _file(18, "attributes of a file, by file_setattr", _FILE_SETATTR, went_through),
    _file(18, "mode of its folder", "os.chmod('@folder', 0o700)\nopen('@out', 'w')"),
]

FILES: list[Attack] = [*_READS, *_PROCESSES, *_WRITES, *_CHANGES]
