"""What tests of qmail-smtpd's own listener look at: its processes, and which of them a client has."""

import contextlib
import os
import pathlib

from harness import relais


def acceptor(instance):
    return next(p for p in instance.processes("qmail-smtpd") if b"--sockets" in p.arguments())


def serving(instance):
    """The processes that have a client."""
    return [p for p in session_processes(instance) if p.arguments()[:1] not in ([], [b"qmail-smtpd waiting"])]


def session_processes(instance):
    """All but the keeper, the acceptor and the guardian of filters: those that have a client, and those that wait for one."""
    return [p for p in instance.processes("qmail-smtpd") if b"-l" not in p.arguments() and p.arguments()[:1] != [b"qmail-smtpd filters"]]


def holders(instance, client):
    """The ids of the session processes that hold the other end of the client's connection: one, once it has said something."""
    address, port = client.socket.getsockname()[:2]
    table = "/proc/net/tcp6" if ":" in address else "/proc/net/tcp"

    def find():
        # A table that changes while it is read may lack a line.
        lines = pathlib.Path(table).read_text().splitlines()[1:]
        inodes = [line.split()[9] for line in lines if line.split()[2].endswith(":%04X" % port)]
        return next((inode for inode in inodes if inode != "0"), None)
    inode = instance.wait_for(find, what=f"the connection in {table}")
    found = []
    for process in session_processes(instance):
        with contextlib.suppress(OSError):
            links = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")]
            if f"socket:[{inode}]" in links:
                found.append(process.pid)
    return found


def holder(instance, client):
    (found,) = holders(instance, client)
    return found


def visit(instance, *commands, source="127.0.0.2", leave=True):
    """A client from that address says this (a command, or it and the code of its reply), and leaves; returns the id of the process
    that served it."""
    with relais.Smtp(instance.port, source=source) as client:
        client.command("NOOP")
        found = holder(instance, client)
        for command in commands:
            client.command(*command) if isinstance(command, tuple) else client.command(command)
        if leave:
            client.command("QUIT", 221)
            client.expect_closed()
        return found
