"""What to do when a sandbox cannot start here; for bubblewrap, by what it says.

Knows the words of bubblewrap and of the kernel, nothing else.
"""

from __future__ import annotations

INSTALL = "apt-get install bubblewrap"
UPGRADE = "install bubblewrap 0.8 or newer"
INSTALL_PYTHON = "apt-get install python3"
ALLOW_USER_NAMESPACES = (
    "allow unprivileged user namespaces: on Ubuntu install an AppArmor profile for bwrap with "
    "`userns,` or run `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`; elsewhere "
    "`sysctl -w user.max_user_namespaces=15000`; in a container give it a seccomp profile that "
    "allows clone, unshare, mount and pivot_root, with systempaths=unconfined"
)
SOCKETS = (
    "let the service enter the network namespaces of its sandboxes: as root it needs "
    "CAP_SYS_ADMIN, and /proc/sys/net must be writable for it"
)
OVERLAY = "run the server as root on a kernel with overlayfs"
ROOT = "run the server as root, or use bubblewrap, which needs no root"
SAME_HOST = "let the engine and the server run on one host, and see the same paths"
OWN_SYSTEM = "leave sandbox.image empty, or name an image for this machine's architecture"

HINTS = (
    ("uid map: Permission denied", ALLOW_USER_NAMESPACES),
    ("RTM_NEWADDR", ALLOW_USER_NAMESPACES),
    ("No permissions to create", ALLOW_USER_NAMESPACES),
    ("Creating new namespace failed", ALLOW_USER_NAMESPACES),
    ("unshare failed", ALLOW_USER_NAMESPACES),
    ("Can't mount proc", ALLOW_USER_NAMESPACES),
    ("No such file or directory: 'bwrap'", INSTALL),
    ("execvp /usr/bin/python3", INSTALL_PYTHON),
)


def hint_for(text: str) -> str:
    """The way out of the failure that *text* reports; empty when it is not known."""
    return next((hint for words, hint in HINTS if words in text), "")
