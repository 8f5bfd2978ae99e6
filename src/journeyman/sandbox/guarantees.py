"""The lines of `doctor` about sandboxes: what one that was really started here gives.

Knows nothing of how it was started or what isolates it.
"""

from __future__ import annotations

from collections.abc import Iterable

from journeyman.sandbox import Guarantee, Sandbox, hints

DELEGATE = "run the service as root, or in a systemd unit with `Delegate=yes`"
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


async def examine(
    sandbox: Sandbox, isolation: Iterable[Guarantee], *, who: str
) -> tuple[Guarantee, ...]:
    """What holds in *sandbox*, after what its backend says of *isolation*. Raises SandboxLost.

    *who*: whose processes its commands are on this host.
    """
    result = await sandbox.exec(EXAMINE, timeout_seconds=20)
    lines = result.output.decode(errors="replace").splitlines()
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    return (
        *isolation,
        _account(who, facts),
        _filter(facts),
        _firewall(sandbox),
        *_limits(sandbox),
        *_tools(facts),
    )


def _account(who: str, facts: dict[str, str]) -> Guarantee:
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
    strict = sandbox.enforced["disk"] != "polled"
    how = "a file system of its own" if strict else "polled: may be passed for some seconds"
    yield Guarantee("disk limit", True, how)


def _tools(facts: dict[str, str]) -> Iterable[Guarantee]:
    for tool, (purpose, mend) in TOOLS.items():
        version = facts.get(tool, "")
        detail = f"{version} {purpose}" if version else f"missing: {purpose}"
        yield Guarantee(f"{tool} inside", bool(version), detail, "" if version else mend)
