"""Attacks in Python on what the kernel offers: processes, sockets, signals, debugging, namespaces, limits.

See attacks.py. None of them does lasting harm where it succeeds: a bomb stops at 16 processes, the signal to everybody
is one that processes ignore, and a mount happens in a namespace of its own or not at all.
"""

from __future__ import annotations

from interpreters.attacks.effects import (
    Attack,
    Effect,
    forked,
    listened,
    mounted,
    nothing_special,
    opened,
    preferred,
    ran_program,
    took_memory,
    went_through,
)

_IMPORTS = (
    "os, sys, time, ctypes, socket = map(__import__, 'os sys time ctypes socket'.split())\n"
    "signal, resource = map(__import__, 'signal resource'.split())\n"
)
_CALLS = """
libc = ctypes.CDLL(None, use_errno=True)
machine = os.uname().machine
def call(x86_64, aarch64, *arguments):
    return told(libc.syscall({'x86_64': x86_64, 'aarch64': aarch64}[machine], *arguments))
def told(answer):
    if answer < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer
"""
_WENT = "\nraise RuntimeError('went' + ' through')"
_LINGER = "\ntime.sleep(0.25)"


def _kernel(number: int, name: str, code: str, succeeded: Effect = nothing_special, settle: float = 0.0) -> Attack:
    return Attack(number, name, "python", _IMPORTS + _CALLS + code, succeeded, settle)


_CLONE3 = "arguments = (ctypes.c_uint64 * 8)(0, 0, 0, 0, signal.SIGCHLD)\ncall(435, 435, ctypes.byref(arguments), 64)"
_INT_80 = """
memory = __import__('mmap').mmap(-1, 4096, prot=7)
memory.write(b'\\xb8\\x02\\0\\0\\0\\xcd\\x80\\xc3')  # mov eax, 2 (fork); int 0x80; ret
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
"""
_PROCESSES = [
    _kernel(1, "fork", "os.fork()" + _LINGER, forked),
    _kernel(1, "fork bomb", "for _ in range(4): os.fork()" + _LINGER, forked),
    _kernel(1, "fork of a terminal", "__import__('pty').fork()" + _LINGER, forked),
    _kernel(1, "clone", "call(56, 220, signal.SIGCHLD, 0, 0, 0, 0)" + _LINGER, forked),
    _kernel(1, "clone3", _CLONE3 + _LINGER, forked),
    _kernel(1, "vfork", "call(58, 220, 0x4111, 0, 0, 0, 0)" + _LINGER, forked),
    _kernel(1, "fork, by the calls of 32-bit programs", "assert machine == 'x86_64'\n" + _INT_80 + _LINGER, forked),
    _kernel(1, "fork, by the calls of x32 programs", "call(0x40000000 + 57, 220, 17, 0, 0, 0, 0)" + _LINGER, forked),
    _kernel(
        1,
        "multiprocessing",
        "__import__('multiprocessing').Process(target=time.sleep, args=(0.3,)).start()" + _LINGER,
        forked,
    ),
    _kernel(3, "subprocess", "__import__('subprocess').run(['/bin/sh', '-c', 'sleep 0.3; : @marker'])", ran_program),
    _kernel(3, "os.system", "os.system('sleep 0.3; : @marker')", ran_program),
    _kernel(3, "system, by libc", "libc.system(b'sleep 0.3; : @marker')", ran_program),
    _kernel(
        3, "posix_spawn", "os.posix_spawn('/bin/sh', ['sh', '-c', 'sleep 0.3; : @marker'], {})" + _LINGER, ran_program
    ),
    _kernel(3, "exec", "os.execv('/bin/sh', ['sh', '-c', 'sleep 0.3; : @marker'])", ran_program),
    _kernel(
        3,
        "exec of Python",
        "os.execv(sys.executable, ['python', '-c', 'import time; time.sleep(0.3) # @marker'])",
        ran_program,
    ),
    _kernel(
        3,
        "exec of a descriptor",
        "os.execve(os.open('/bin/sh', os.O_RDONLY), ['sh', '-c', 'sleep 0.3; : @marker'], {})",
        ran_program,
    ),
    _kernel(
        3,
        "execveat",
        "call(322, 281, -100, b'/bin/sh', (ctypes.c_char_p * 4)(b'sh', b'-c', b'sleep 0.3; : @marker'), None, 0)",
        ran_program,
    ),
]

_HTTP = "__import__('urllib.request').request.urlopen('http://127.0.0.1:@tcp/', timeout=0.5)"
_LISTEN = "s = socket.socket()\ns.bind((b'127.0.0.1', @port))\ns.listen(4)\ntime.sleep(0.3)"
_NETLINK = "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).bind((0, 0))"
_SENDTO = "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', (b'127.0.0.1', @udp))"
_PAIR = "s, _ = socket.socketpair(type=socket.SOCK_DGRAM)\n"
_LOCAL = "s = socket.socket(socket.AF_UNIX)\ns.connect({address})\ns.send(b'x')"
_S3 = """
options = {'aws_endpoint_url': 'http://127.0.0.1:@tcp', 'aws_allow_http': 'true', 'aws_region': 'x'}
keys = {'aws_access_key_id': 'a', 'aws_secret_access_key': 'b'}
pl.scan_parquet('s3://b/x.parquet', storage_options={**options, **keys}).collect()
"""
_NETWORK = [
    _kernel(19, "TCP", "socket.socket().connect((b'127.0.0.1', @tcp))"),
    _kernel(19, "TCP over IPv6", "socket.socket(socket.AF_INET6).connect((b'::ffff:127.0.0.1', @tcp))"),
    _kernel(
        19,
        "TCP with the first data (fast open)",
        "s = socket.socket()\ns.sendto(b'x', 0x20000000, (b'127.0.0.1', @tcp))",
    ),
    _kernel(19, "UDP", _SENDTO),
    _kernel(19, "a unix socket", _LOCAL.format(address="'@unix'")),
    _kernel(19, "an abstract unix socket", _LOCAL.format(address="'\\0@marker'")),
    _kernel(19, "a pair of sockets turned outwards", _PAIR + "s.sendto(b'x', '@datagram')"),
    _kernel(19, "a pair of sockets connected outwards", _PAIR + "s.connect('@datagram')\ns.send(b'x')"),
    _kernel(19, "its own socket turned outwards", "s = socket.socket(fileno=3)\ns.connect('@unix')"),
    _kernel(19, "listens", _LISTEN, listened),
    _kernel(19, "asks the kernel about networks", _NETLINK + _WENT, went_through),
    _kernel(
        19,
        "raw packets",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 253).sendto(b'x', (b'127.0.0.1', 0))" + _WENT,
        went_through,
    ),
    _kernel(19, "socket, by the calls of x32 programs", "call(0x40000000 + 41, 198, 2, 1, 0)" + _WENT, went_through),
    _kernel(20, "HTTP", _HTTP),
    Attack(20, "HTTP, by the engine", "polars", "pl.read_csv('http://127.0.0.1:@tcp/x.csv')"),
    Attack(
        20,
        "HTTP, by the engine's cloud reader",
        "polars",
        "pl.scan_parquet('http://127.0.0.1:@tcp/x.parquet').collect()",
    ),
    Attack(20, "S3, by the engine", "polars", _S3),
    Attack(20, "HTTP, by the engine", "ibis", "ibis.duckdb.connect().read_csv('http://127.0.0.1:@tcp/x.csv')"),
]

_OWNER = """
fcntl = __import__('fcntl')
reading, writing = os.pipe()
fcntl.fcntl(reading, fcntl.F_SETOWN, @victim)
fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
os.write(writing, b'x')
"""
_QUEUED = "told(libc.sigqueue(@victim, signal.SIGUSR1, None))"
_PIDFD = "call(424, 424, call(434, 434, @victim, 0), signal.SIGUSR1, None, 0)"
_IO = "(ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 39), 1, (ctypes.c_uint64 * 2)(@address, 39), 1, 0"
_BUFFER = "buffer = ctypes.create_string_buffer(40)\n"
_PTRACE = """
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
told(libc.ptrace(16, @victim, None, None))  # attach
time.sleep(0.1)
words = [libc.ptrace(2, @victim, @address + 8 * i, None) for i in range(5)]  # peek
raise RuntimeError(b''.join((w % 2**64).to_bytes(8, 'little') for w in words)[:39].decode())
"""
_OTHERS = [
    _kernel(21, "kills another process", "os.kill(@victim, 9)", settle=0.05),
    _kernel(21, "stops another process", "os.kill(@victim, 19)", settle=0.05),
    _kernel(21, "signals every process", "os.kill(-1, signal.SIGURG)", settle=0.05),
    _kernel(21, "signals a group of processes", "os.killpg(os.getpgid(@victim), signal.SIGURG)", settle=0.05),
    _kernel(21, "signals by descriptor", _PIDFD, settle=0.05),
    _kernel(21, "signals by queue", _QUEUED, settle=0.05),
    _kernel(21, "signals one thread", "call(234, 131, @victim, @victim, signal.SIGUSR1)", settle=0.05),
    _kernel(21, "signals as the owner of a pipe", _OWNER, settle=0.05),
    _kernel(21, "kills its checker", "os.kill(os.getppid(), 9)"),
    _kernel(21, "ends its checker", "os.kill(os.getppid(), 15)"),
    _kernel(21, "stops its checker", "os.kill(os.getppid(), 19)"),
    _kernel(22, "reads another process as its debugger", _PTRACE),
    _kernel(
        22,
        "reads the memory of another process",
        _BUFFER + f"told(libc.process_vm_readv(@victim, {_IO}))\nraise RuntimeError(buffer.value.decode())",
    ),
    _kernel(
        22,
        "writes the memory of another process",
        _BUFFER + f"told(libc.process_vm_writev(@victim, {_IO}))" + _WENT,
        went_through,
    ),
    _kernel(
        22,
        "takes a descriptor of another process",
        "fd = call(438, 438, call(434, 434, @victim, 0), 1, 0)\nos.write(fd, b'hello')",
    ),
    _kernel(
        22,
        "compares itself with another process",
        "call(312, 272, os.getpid(), @victim, 0, 0, 0)" + _WENT,
        went_through,
    ),
]

_NEWUSER, _NEWNS, _NEWNET = 0x10000000, 0x00020000, 0x40000000
_MOUNT = (
    f"told(libc.unshare({_NEWUSER | _NEWNS}))\ntold(libc.mount(b'@marker', b'.', b'tmpfs', 0, b'size=64k'))" + _LINGER
)
_PERF = "event = (ctypes.c_uint32 * 32)(1, 128, 1)\ncall(298, 241, ctypes.byref(event), 0, -1, -1, 0)"
_BPF = "program = (ctypes.c_uint32 * 18)(1, 4, 4, 1)\ncall(321, 280, 0, ctypes.byref(program), 72)"
_KEY = "call(248, 217, b'user', b'@marker', b'x', 1, -2)"
_SURFACE = [
    _kernel(23, "a mount in namespaces of its own", _MOUNT, mounted),
    _kernel(23, "a user namespace", f"told(libc.unshare({_NEWUSER}))" + _WENT, went_through),
    _kernel(23, "a network namespace", f"told(libc.unshare({_NEWNET}))" + _WENT, went_through),
    _kernel(
        23,
        "the namespaces of another process",
        f"told(libc.setns(call(434, 434, @victim, 0), {_NEWNET}))" + _WENT,
        went_through,
    ),
    _kernel(23, "a new root", "os.chroot('.')" + _WENT, went_through),
    _kernel(
        23,
        "io_uring",
        "call(425, 425, 4, ctypes.byref((ctypes.c_uint32 * 30)()))" + _LINGER + _WENT,
        opened("io_uring"),
    ),
    _kernel(23, "a file in memory", "fd = os.memfd_create('x')" + _LINGER + _WENT, opened("memfd")),
    _kernel(23, "a secret file in memory", "call(447, 447, 0)" + _WENT, went_through),
    _kernel(23, "page faults of its own", "call(323, 282, 1)" + _LINGER + _WENT, opened("userfaultfd")),
    _kernel(23, "a map of BPF", _BPF + _LINGER + _WENT, opened("bpf")),
    _kernel(23, "performance counters", _PERF + _LINGER + _WENT, opened("perf_event")),
    _kernel(23, "the kernel's keys", _KEY + _WENT, went_through),
    _kernel(
        23, "the kernel's log", "told(libc.klogctl(3, ctypes.create_string_buffer(4096), 4096))" + _WENT, went_through
    ),
    _kernel(23, "the machine's name", "socket.sethostname(socket.gethostname())" + _WENT, went_through),
]

_DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for _ in range(100):
            time.sleep(0.02)
            try: open('@out', 'w').close()
            except OSError: pass
            try: socket.socket().connect((b'127.0.0.1', @tcp))
            except OSError: pass
    os._exit(0)
os._exit(0)
"""
_STAYING = [
    _kernel(24, "a daemon", _DAEMON, forked, settle=0.3),
    _kernel(
        24,
        "a daemon that kills the checker",
        _DAEMON.replace("    os.setsid()", "    os.setsid()\n    os.kill(os.getppid(), 9)"),
        forked,
        settle=0.3,
    ),
    _kernel(
        24,
        "a program that stays",
        "os.spawnv(os.P_NOWAIT, '/bin/sh', ['sh', '-c', 'sleep 5; : @marker'])\nos._exit(0)",
        ran_program,
        settle=0.1,
    ),
]

_ALLOCATE = "\nx = bytearray(4 * 2**30)\ntime.sleep(0.2)"
_RAISE = "resource.setrlimit(resource.{kind}, (resource.RLIM_INFINITY,) * 2)"
_VICTIM_LIMIT = "resource.prlimit(@victim, resource.RLIMIT_AS, (2**30, 2**30))"
_FIFO = "os.sched_setscheduler(0, os.SCHED_{}, os.sched_param(1))"
_LIMITS = [
    _kernel(25, "more memory than its limit", _RAISE.format(kind="RLIMIT_AS") + _ALLOCATE, took_memory),
    _kernel(
        25, "more memory, by prlimit", "resource.prlimit(0, resource.RLIMIT_AS, (-1, -1))" + _ALLOCATE, took_memory
    ),
    *(
        _kernel(25, f"raises its own {kind}", _RAISE.format(kind=kind) + _WENT, went_through)
        for kind in ("RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE")
    ),
    _kernel(25, "lowers the limits of another process", _VICTIM_LIMIT),
    _kernel(26, "a better nice value", "os.nice(-10)" + _LINGER, preferred),
    _kernel(26, "the priority of another process", "os.setpriority(os.PRIO_PROCESS, @victim, 5)"),
    _kernel(26, "the processors of another process", "os.sched_setaffinity(@victim, {0})" + _WENT, went_through),
    _kernel(26, "real time", _FIFO.format("FIFO") + _LINGER, preferred),
    _kernel(26, "real time, round robin", _FIFO.format("RR") + _LINGER, preferred),
]

KERNEL: list[Attack] = [*_PROCESSES, *_NETWORK, *_OTHERS, *_SURFACE, *_STAYING, *_LIMITS]
