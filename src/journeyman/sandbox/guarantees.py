"""The lines of `doctor` about bubblewrap: what a sandbox that was really started here gives.

Knows nothing of how it was started.
"""

from __future__ import annotations

from collections.abc import Iterable

from journeyman.sandbox import Guarantee, Sandbox, hints
from journeyman.sandbox.launch import Host

DELEGATE = "run the service as root, or in a systemd unit with `Delegate=yes`"
UPGRADE = "install bubblewrap 0.8 or newer"
EXAMINE = """
sed -n 's/^\\(Seccomp\\|NoNewPrivs\\|CapEff\\|CapBnd\\):\\t/\\1=/p' /proc/self/status
[ -w /proc/sys/kernel/core_pattern ] && echo kernel=writable
for tool in python3 git rg; do echo "$tool=$($tool --version 2>/dev/null | head -n 1)"; done
"""
NO_CAPABILITY = "0" * 16
TOOLS = {
    "python3": ("runs process 1", "apt-get install python3"),
    "git": ("makes commits", "apt-get install git"),
    "rg": ("searches the repository", "apt-get install ripgrep"),
}


async def examine(sandbox: Sandbox, host: Host, version: str) -> tuple[Guarantee, ...]:
    """What holds in *sandbox*, which *host* started. Raises SandboxLost."""
    result = await sandbox.exec(EXAMINE, timeout_seconds=20)
    lines = result.output.decode(errors="replace").splitlines()
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    return (
        Guarantee("bubblewrap", True, version),
        Guarantee(
            "user namespace", True, "each session has its own user, process and network view"
        ),
        _account(host, facts),
        _filter(facts),
        _nesting(host),
        _firewall(sandbox),
        *_limits(sandbox),
        *_tools(facts),
    )


def _account(host: Host, facts: dict[str, str]) -> Guarantee:
    who = f"account {host.account.uid}" if host.account else "the service's own account"
    powers = {facts.get("CapEff"), facts.get("CapBnd")}
    holds = powers == {NO_CAPABILITY} and "kernel" not in facts
    return Guarantee("unprivileged", holds, f"commands run as {who}, without capabilities")


def _filter(facts: dict[str, str]) -> Guarantee:
    holds = facts.get("Seccomp") == "2" and facts.get("NoNewPrivs") == "1"
    return Guarantee(
        "system call filter",
        holds,
        "seccomp refuses what a session never needs" if holds else "seccomp is not active",
        "" if holds else "use a kernel with CONFIG_SECCOMP_FILTER",
    )


def _nesting(host: Host) -> Guarantee:
    if host.nested_users_off:
        return Guarantee("nested namespaces", True, "refused by the kernel and by the filter")
    return Guarantee("nested namespaces", True, "refused by the filter alone", UPGRADE)


def _firewall(sandbox: Sandbox) -> Guarantee:
    holds = sandbox.enforced["network"] == "allowlist"
    return Guarantee(
        "firewall",
        holds,
        "the only way out is the service's own proxy"
        if holds
        else "programs that know of no proxy reach nothing",
        "" if holds else hints.SOCKETS,
    )


def _limits(sandbox: Sandbox) -> Iterable[Guarantee]:
    for name in ("memory", "pids", "cpu"):
        how = sandbox.enforced[name]
        holds = how.startswith("cgroup")
        yield Guarantee(f"{name} limit", holds, how, "" if holds else DELEGATE)
    yield Guarantee("disk limit", True, "polled: may be passed for some seconds")


def _tools(facts: dict[str, str]) -> Iterable[Guarantee]:
    for tool, (purpose, mend) in TOOLS.items():
        version = facts.get(tool, "")
        detail = f"{version} {purpose}" if version else f"missing: {purpose}"
        yield Guarantee(f"{tool} inside", bool(version), detail, "" if version else mend)
