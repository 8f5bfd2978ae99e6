"""Process 1 inside a sandbox: starts and ends commands, reaps, opens and writes files.

This package runs from its source texts under the host's python3 (3.9 or newer), as the package
`init`, and imports only what starts quickly. Every request with an id gets exactly one reply; an
`exec` when its command has ended. A message is `name=value` fields behind a four-byte length; no
field holds a NUL, which divides them. Descriptors travel beside it. Knows nothing of sessions.
"""

from __future__ import annotations

import _socket
import ctypes
import os
import resource
import select
import stat
import struct
import sys
import time

from . import processes, spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence

    Fields = list[tuple[str, str]]
else:
    import _signal as signal  # as in spawn

PR_SET_DUMPABLE = 4
MARK = "SANDBOX_EXEC"
"""Names a command's number in the environment of everything it starts."""
DIES_FIRST, DIES_LAST = b"1000", b"0"
"""Values of oom_score_adj: memory runs out for a command before it does for process 1."""
WATCH_MS = 250
"""How often the memory of all processes is added up, where nothing else limits it."""
KILL_SECONDS = 0.5
"""How long a command's tree may go on growing while it is killed; then everything is."""
COMMAND_BYTES = 4096
"""How much of a command line is told."""


class Message:
    """One request."""

    def __init__(self, text: bytes) -> None:
        self.fields: Fields = []
        for part in text.split(b"\0"):
            name, _, value = part.partition(b"=")
            self.fields.append((name.decode(), os.fsdecode(value)))

    def one(self, name: str) -> str:
        """The value of the only field *name*."""
        return next(value for key, value in self.fields if key == name)

    def many(self, name: str) -> list[str]:
        """The values of every field *name*, in order."""
        return [value for key, value in self.fields if key == name]


class Refused(Exception):
    """A request that cannot be done, with the reason for its reader."""


class Init:
    """The loop of process 1, and the commands it has started."""

    def __init__(self, control: _socket.socket) -> None:
        self.control = control
        self.unread = b""
        self.received: list[int] = []
        self.commands: dict[int, int] = {}
        """Process number to the number of the request that started it."""
        self.terminals: dict[str, int] = {}
        """By path: the ends of those that no command has yet."""
        self.drained: set[int] = set()
        self.memory_bytes = 0
        """What all processes together may use; 0 where a control group sees to it."""
        self.next_look = 0.0
        self.poll = select.poll()
        self.oom_score = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        self.proc_device = os.stat("/proc").st_dev
        self.verbs: dict[str, Callable[[Message, list[int]], Reply | None]] = {
            "limit": self.limit,
            "terminal": self.terminal,
            "exec": self.start,
            "kill": self.kill,
            "kill_all": self.kill_all,
            "open": self.open,
            "write": self.write,
            "drain": self.drain,
            "owner": self.owner,
        }

    def run(self) -> None:
        """Serve until the service closes its end; the kernel then kills what is left."""
        os.set_inheritable(self.control.fileno(), False)
        children = watch_children()
        self.poll.register(self.control, select.POLLIN)
        self.poll.register(children, select.POLLIN)
        while True:
            for ready, _ in self.poll.poll(WATCH_MS if self.memory_bytes else None):
                if ready == children:
                    os.read(children, 4096)
                    self.reap()
                elif ready == self.control.fileno():
                    self.receive()
                elif ready in self.drained:
                    self.discard(ready)
            self.watch_memory()

    def receive(self) -> None:
        """Take in what has arrived, and do every request that is whole."""
        data, descriptors = receive(self.control)
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        if not data:
            os._exit(0)
        self.received += descriptors
        self.unread += data
        while len(self.unread) >= 4:
            size = 4 + struct.unpack(">I", self.unread[:4])[0]
            if len(self.unread) < size:
                return
            message = Message(self.unread[4:size])
            self.unread = self.unread[size:]
            count = int(message.one("descriptors"))
            mine, self.received = self.received[:count], self.received[count:]
            self.handle(message, mine)

    def handle(self, message: Message, descriptors: list[int]) -> None:
        """Do one request; what was received with it is closed unless it is being drained."""
        reply: Reply | None
        try:
            reply = self.verbs[message.one("op")](message, descriptors)
        except OSError as error:
            reply = Reply(told(error))
        except Refused as error:
            reply = Reply([("errno", "0"), ("error", str(error))])
        finally:
            for descriptor in descriptors:
                if descriptor not in self.drained:
                    os.close(descriptor)
        if reply is not None:
            self.send(message.one("id"), reply)

    def send(self, number: str, reply: Reply) -> None:
        """Answer request *number*, and close what is handed over."""
        fields = [("id", number), ("descriptors", str(len(reply.descriptors))), *reply.fields]
        text = b"\0".join(os.fsencode(f"{name}={value}") for name, value in fields)
        data = struct.pack(">I", len(text)) + text
        sent = send(self.control, data, reply.descriptors)
        if sent < len(data):
            self.control.sendall(data[sent:])
        for descriptor in reply.descriptors:
            os.close(descriptor)

    def limit(self, message: Message, _descriptors: list[int]) -> Reply:
        """Set limits of each process, for process 1 and so for everything it starts."""
        for text in message.many("limit"):
            name, _, wanted = text.partition("=")
            kind = getattr(resource, name)
            _, hard = resource.getrlimit(kind)
            value = int(wanted) if hard == resource.RLIM_INFINITY else min(int(wanted), hard)
            resource.setrlimit(kind, (value, value))
        self.memory_bytes = int(message.one("watched_memory"))
        return Reply()

    def watch_memory(self) -> None:
        """Past the limit, end the largest process, as the kernel would where it could."""
        now = time.monotonic()
        if not self.memory_bytes or now < self.next_look:
            return
        self.next_look = now + WATCH_MS / 1000
        sizes = {pid: processes.memory_of(pid) for pid in processes.living()}
        if sum(sizes.values()) > self.memory_bytes:
            processes.send_kill(max(sizes, key=lambda pid: sizes[pid]))

    def terminal(self, message: Message, _descriptors: list[int]) -> Reply:
        """Make a terminal for a command; its other end and its path."""
        size = int(message.one("rows")), int(message.one("columns"))
        master, slave, path = spawn.terminal(*size)
        self.terminals[path] = slave
        return Reply([("path", path)], [master])

    def start(self, message: Message, descriptors: list[int]) -> None:
        """Start a command; its reply comes when it is reaped."""
        terminal = message.one("terminal")
        actions = (
            spawn.on_terminal(terminal)
            if terminal
            else spawn.piped(descriptors, with_stdin=message.one("stdin") == "given")
        )
        environment = dict(pair.split("=", 1) for pair in message.many("env"))
        environment[MARK] = message.one("id")
        writing = message.one("writing") == "allowed"
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        os.pwrite(self.oom_score, DIES_FIRST, 0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most if writing else 0, most))
        try:
            pid = spawn.spawn(
                message.many("arg"),
                message.one("cwd"),
                environment,
                actions,
                spawn.RESET if writing else spawn.RESET - {signal.SIGXFSZ},
            )
            if not writing:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            os.pwrite(self.oom_score, DIES_LAST, 0)
            if terminal in self.terminals:
                os.close(self.terminals.pop(terminal))
        self.commands[pid] = int(message.one("id"))

    def reap(self) -> None:
        """Take leave of every process that has ended, and report those that were commands."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.commands:
                code = os.waitstatus_to_exitcode(status)
                exit_code = code if code >= 0 else 128 - code
                self.send(str(self.commands.pop(pid)), Reply([("exit", str(exit_code))]))

    def kill(self, message: Message, _descriptors: list[int]) -> Reply:
        """End a command's whole tree; everything, when it grows faster than it can be ended."""
        number = int(message.one("exec"))
        deadline = time.monotonic() + KILL_SECONDS
        killed: set[int] = set()
        while tree := self.tree(number, killed):
            if time.monotonic() > deadline:
                return Reply() if tree <= killed else self.kill_all(message, [])
            for pid in tree - killed:
                processes.send_kill(pid)
            if tree <= killed:
                time.sleep(0.001)
            killed |= tree
            self.reap()
        return Reply()

    def kill_all(self, _message: Message, _descriptors: list[int]) -> Reply:
        """End everything but process 1, and wait until it is gone."""
        processes.send_kill(-1)
        deadline = time.monotonic() + 2
        while processes.living() and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.001)
        self.reap()
        return Reply()

    def tree(self, number: int, killed: set[int]) -> set[int]:
        """Every living process of command *number*: by mark, by session and by descent.

        Also what is still dying of *killed*: it has lost its marks already.
        """
        alive = processes.living()
        roots = {pid for pid, owner in self.commands.items() if owner == number}
        mark = f"{MARK}={number}\0".encode()
        known = roots | killed
        found = {pid for pid in alive if pid in known or mark in processes.environment_of(pid)}
        while True:
            more = {
                pid
                for pid, (parent, session) in alive.items()
                if parent in found or session in found or session in roots
            } - found
            if not more:
                return found
            found |= more

    def open(self, message: Message, _descriptors: list[int]) -> Reply:
        """Hand over a file to read."""
        return Reply(descriptors=[self.regular_file(message.one("path"), os.O_RDONLY)])

    def write(self, message: Message, descriptors: list[int]) -> Reply:
        """Fill a file from the descriptor that came with the request."""
        path = message.one("path")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        mode = int(message.one("mode"))
        target = self.regular_file(path, os.O_WRONLY | os.O_CREAT, mode)
        try:
            os.ftruncate(target, 0)
            while data := os.read(descriptors[0], 1 << 20):
                write_all(target, data)
        finally:
            os.close(target)
        return Reply()

    def regular_file(self, path: str, flags: int, mode: int = 0) -> int:
        """A descriptor of *path*; never a pipe, a device or a file of /proc, which tells of us."""
        quiet = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        descriptor = os.open(path, flags | quiet, mode)
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_dev == self.proc_device:
            os.close(descriptor)
            raise Refused("not a regular file")
        return descriptor

    def owner(self, message: Message, _descriptors: list[int]) -> Reply:
        """The command that holds the end of a socket, and the number that it was started under."""
        inode = processes.inode_of(
            message.one("protocol"), int(message.one("port")), int(message.one("server_port"))
        )
        pid = processes.holder_of(inode) if inode else 0
        if not pid:
            raise Refused("nobody holds it")
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read(COMMAND_BYTES).replace(b"\0", b" ").decode(errors="replace")
        return Reply([("exec", self.number_of(pid)), ("command", command)])

    def number_of(self, pid: int) -> str:
        """The request that started *pid*, by its mark or by descent; empty when it is unknown."""
        _, marked, rest = processes.environment_of(pid).partition(f"{MARK}=".encode())
        if marked:
            return rest.split(b"\0")[0].decode(errors="replace")
        parents = {one: parent for one, (parent, _) in processes.living().items()}
        while pid in parents and pid not in self.commands:
            pid = parents[pid]
        return str(self.commands.get(pid, ""))

    def drain(self, _message: Message, descriptors: list[int]) -> None:
        """Read what background processes still write: a closed pipe would kill them by SIGPIPE."""
        for descriptor in descriptors:
            os.set_blocking(descriptor, False)
            self.drained.add(descriptor)
            self.poll.register(descriptor, select.POLLIN)

    def discard(self, descriptor: int) -> None:
        """Forget what a background process has written; stop at the end."""
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return
        except OSError:  # a terminal's way to end
            data = b""
        if not data:
            self.poll.unregister(descriptor)
            self.drained.remove(descriptor)
            os.close(descriptor)


class Reply:
    """What goes back: fields, and descriptors that are closed here once they are sent."""

    def __init__(self, fields: Fields | None = None, descriptors: Sequence[int] = ()) -> None:
        self.fields = fields or []
        self.descriptors = list(descriptors)


def told(error: OSError) -> Fields:
    """*error* as fields."""
    place = [("path", str(error.filename))] if error.filename else []
    return [("errno", str(error.errno)), ("error", str(error.strerror)), *place]


def watch_children() -> int:
    """A descriptor that becomes readable when a child has ended."""
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return reading


def write_all(descriptor: int, data: bytes) -> None:
    """Write *data* whole."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(connected: _socket.socket) -> tuple[bytes, list[int]]:
    """What has arrived, and the descriptors beside it."""
    size = struct.calcsize("i")
    data, beside, _, _ = connected.recvmsg(1 << 16, _socket.CMSG_LEN(16 * size))
    found: list[int] = []
    for level, kind, content in beside:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            count = len(content) // size
            found += struct.unpack(f"{count}i", content[: count * size])
    return data, found


def send(connected: _socket.socket, data: bytes, descriptors: list[int]) -> int:
    """Send *data* with *descriptors* beside it; how much of it went."""
    beside = struct.pack(f"{len(descriptors)}i", *descriptors)
    return connected.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, beside)])


def control(place: str) -> _socket.socket:
    """The service's socket: a descriptor's number, or the path where it listens."""
    if place.isdigit():
        return _socket.socket(fileno=int(place))
    connected = _socket.socket(_socket.AF_UNIX)
    connected.connect(place)
    return connected


def main() -> None:
    """Close process 1 to the sandbox's own user, then serve."""
    init = Init(control(sys.argv[1]))
    os.umask(0o022)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)
    init.run()
