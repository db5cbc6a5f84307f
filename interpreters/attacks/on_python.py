"""Attacks in Python on time, memory and the verdict. See attacks.py."""

from __future__ import annotations

from interpreters.attacks.effects import Attack, Effect, Language, forked, nothing_special, took_memory, took_threads

_IMPORTS = (
    "os, sys, gc, time, signal, threading, socket = map(__import__, 'os sys gc time signal threading socket'.split())\n"
)


def _python(number: int, name: str, code: str, succeeded: Effect = nothing_special, on: Language = "python") -> Attack:
    return Attack(number, name, on, _IMPORTS + code, succeeded)


_THREADS = """
threading.stack_size(32768)
gate = threading.Event()
for _ in range(8000): threading.Thread(target=gate.wait, daemon=True).start()
time.sleep(0.2)
"""
_SIGNALS = """
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass
"""
_DEEP = "sys.setrecursionlimit(10**9)\ndef f(): return f()\nf()"
_BACKTRACK = "__import__('re').match('(a+)+$', 'a' * 60 + 'b')"
_CROSS = (
    "n = pl.LazyFrame({'a': range(200_000)})\n"
    "n.join(n, how='cross', suffix='b').join(n, how='cross', suffix='c').select((pl.col('a') * 3).sum()).collect()"
)

_RESOURCES = [
    _python(2, "thousands of threads with small stacks", _THREADS, took_threads),
    _python(2, "threads until none can be started", _THREADS.replace("threading.stack_size(32768)", ""), took_threads),
    _python(4, "64 GiB at once", "x = bytearray(64 * 2**30)\ntime.sleep(0.2)", took_memory),
    _python(4, "64 GiB mapped", "x = __import__('mmap').mmap(-1, 64 * 2**30)\ntime.sleep(0.2)", took_memory),
    _python(5, "memory little by little", "x = []\nwhile True: x.append(b'x' * 2**20 + bytes(len(x)))", took_memory),
    _python(5, "memory in many objects", "x = []\nwhile True: x.append([x, {}])", took_memory),
    _python(6, "a column of 20 billion rows", "pl.select(pl.int_range(0, 20_000_000_000))", took_memory, "polars"),
    _python(7, "endless loop", "while True: pass"),
    _python(7, "sleep", "time.sleep(3600)"),
    _python(8, "endless loop, every signal ignored", _SIGNALS),
    _python(8, "stops itself", "os.kill(os.getpid(), signal.SIGSTOP)\nwhile True: pass"),
    _python(9, "endless loop inside C", "sum(1 for _ in iter(int, 1))"),
    _python(9, "a regular expression that holds the interpreter", _BACKTRACK),
    _python(9, "cross join", _CROSS, on="polars"),
    _python(10, "endless recursion", "def f(): return f()\nf()"),
    _python(10, "endless recursion without its limit", _DEEP),
    _python(10, "deeply nested source", "eval('(' * 100_000)"),
    _python(11, "null pointer", "__import__('ctypes').string_at(0)"),
    _python(11, "abort", "os.abort()"),
    _python(15, "its own environment", "raise RuntimeError(repr(dict(os.environ))[:250])"),
    _python(15, "the environment it was started with", "raise RuntimeError(open('/proc/self/environ').read()[:280])"),
    _python(36, "4 GB to its standard streams", "while True: os.write(1, b'x' * 2**20); os.write(2, b'x' * 2**20)"),
    _python(36, "text on another process's standard output", "open('/proc/@victim/fd/1', 'w').write('hello')"),
    _python(37, "1 GB of results", "result = pl.DataFrame({'a': ['x' * 2**20] * 1000})", on="polars"),
    _python(37, "one cell of 200 MB", "result = pl.DataFrame({'a': ['x' * (200 * 2**20)]})", on="polars"),
    _python(37, "a flood on its own socket", "while True: os.write(3, b'\\0\\x0f\\xff\\x00' + b' ' * 0xFFF00)"),
    _python(37, "a message of 4 GB announced", "os.write(3, b'\\xff' * 4)\nwhile True: os.write(3, b' ' * 2**20)"),
]

_SEARCH = """
gc.unfreeze()
frame, seen = sys._getframe(), []
while frame is not None: seen.append(dict(frame.f_locals)); frame = frame.f_back
seen += [o for o in gc.get_objects() if type(o) in (dict, list, tuple, set, frozenset)]
texts = [x for o in seen for x in (list(o.values()) if type(o) is dict else o) if type(x) is str]
raise RuntimeError(' '.join({x for x in texts if x.startswith('sesame-')})[:250])
"""
_OWN_MEMORY = """
start, sizes = b'sesa' + b'me-', []
with open('/proc/self/mem', 'rb', 0) as memory:
    for line in open('/proc/self/maps'):
        low, high = (int(x, 16) for x in line.split()[0].split('-'))
        if 'r' not in line.split()[1] or line.endswith((']\\n', '.so\\n')) and '[heap]' not in line: continue
        try: memory.seek(low); found = memory.read(high - low)
        except (OSError, ValueError, OverflowError): continue
        at = found.find(start)
        while at >= 0:
            sizes.append(found[at:at + 39].decode('latin1'))
            at = found.find(start, at + 1)
raise RuntimeError(' '.join(x for x in sizes if x[7:].isalnum())[:280])
"""
_WRONG = b'{"table":{"columns":[["a","int"]],"height":1,"values":[[7]]}}'
_FORGED = {
    "text": b"PASSED",
    "an object": b'\0\0\0\x10{"passed": true}',
    "a start": b'\0\0\0\x11{"started": true}',
    "a broken checker": b'\0\0\0\x0f{"broken": "us"}',
    "a failure that is a pass": b'\0\0\0\x24{"failure": "PASSED", "message": ""}',
    "a failure of the checker": b'\0\0\0\x23{"failure": "INFRA", "message": ""}',
    "no UTF-8": b"\0\0\0\x04\xff\xfe\xfd\xfc",
    "deep nesting": b"\0\0\x0f\xff" + b"[" * 0xFFF,
    "another answer": len(_WRONG).to_bytes(4, "big") + _WRONG,
}
_WRITE_ALL = """
for fd in range(64):
    try: os.write(fd, {payload!r})
    except OSError: pass
os._exit(0)
"""
_SEND_FILES = """
ours = socket.socket(fileno=3)
null = os.open('/dev/null', os.O_RDONLY)
for _ in range(200): socket.send_fds(ours, [b' '], [null] * 8)
"""
_EQUAL = "type('Right', (), {'__eq__': lambda self, other: True, '__len__': lambda self: 1})()"
_FRAME = "type('Right', (pl.DataFrame,), {'equals': lambda *a: True, '__eq__': lambda *a: True})({'a': [1]})"
_LATER = "result = t.lazy().select(pl.col('a').map_elements(lambda x: open('@secret').read(), return_dtype=pl.String))"
_UDF = "result = t.select(pl.col('a').map_elements(lambda x: open('@secret').read(), return_dtype=pl.String))"
_FORK = "str((os.fork(), time.sleep(0.2)))"
_PATCH_JSON = "json = __import__('json')\njson.dumps = json.JSONEncoder.encode = lambda *a, **k: '{}'\nresult = t"

_CLAIMS = [
    _python(27, "ends its process as if all were well", "os._exit(0)"),
    _python(28, "sys.exit", "sys.exit(0)"),
    _python(28, "KeyboardInterrupt", "raise KeyboardInterrupt"),
    _python(28, "GeneratorExit", "raise GeneratorExit"),
    _python(29, "prints that it passed", "print('PASSED', file=sys.__stdout__)\nprint('{\"table\": 1}')\nresult = 1"),
    *(
        _python(30, f"forged bytes on every descriptor: {name}", _WRITE_ALL.format(payload=payload))
        for name, payload in _FORGED.items()
    ),
    _python(30, "descriptors sent to the checker", _SEND_FILES),
    _python(30, "its socket closed", "os.close(3)\nwhile True: pass"),
    _python(31, "an object that equals everything", f"result = {_EQUAL}"),
    _python(32, "a data frame that equals everything", f"result = {_FRAME}", on="polars"),
    _python(33, "patches the engine", "pl.DataFrame.select = lambda *a: t\nresult = t", on="polars"),
    _python(33, "patches what encodes its answer", _PATCH_JSON),
    _python(33, "patches the checker", "for m in list(sys.modules.values()): m.__dict__.clear()"),
    _python(34, "looks for the expected values", _SEARCH),
    _python(34, "searches its own memory for what its process knows", _OWN_MEMORY),
    _python(35, "an answer that is computed later", _LATER, on="polars"),
    _python(38, "a function of its own for each value", _UDF, on="polars"),
    _python(38, "a process for each value", _UDF.replace("open('@secret').read()", _FORK), forked, on="polars"),
]

PYTHON: list[Attack] = [*_RESOURCES, *_CLAIMS]
