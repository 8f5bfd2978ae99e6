"""Lines that a change adds and that look like secrets, by detect-secrets' detectors.

Only those that know a format (keys, tokens): guesses by entropy or by a variable's name would be
wrong more often than right. None of them asks a network. Knows nothing of git but its diffs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

MOST = 50
PIECE_CHARS, OVERLAP_CHARS = 4_000, 400
"""Longer lines are searched in pieces, since a pattern over a whole one would take too long."""
ALLOWED = "pragma: allowlist secret"
"""detect-secrets' own mark for a line that is none."""

_HUNK = re.compile(r"^@(@+) (?:-\S+ )+\+(\d+)")


@dataclass(frozen=True)
class Leak:
    path: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} looks like a secret ({self.kind})"


def find(diff: str) -> list[Leak]:
    """The first of them in *diff*, as `git diff` prints it."""
    return Finder().find(diff)


class Finder:
    """Of a diff that comes in pieces of whole lines."""

    def __init__(self) -> None:
        self._path = ""
        self._number = 0
        self._parents = 0

    def find(self, piece: str) -> list[Leak]:
        """The first of them in the next piece."""
        found = list[Leak]()
        for line in self._added(piece):
            if ALLOWED not in line and (kind := _kind(line)) is not None:
                found.append(Leak(self._path, self._number, kind))
            if len(found) >= MOST:
                break
        return found

    def _added(self, piece: str) -> Iterator[str]:
        """Each added line, with its file and its number there. Of a merge, what no parent has."""
        for line in piece.split("\n"):
            if line.startswith("diff --"):
                self._parents = 0
            elif not self._parents and line.startswith("+++ "):
                self._path = line[4:].strip().strip('"').removeprefix("b/")
            elif (hunk := _HUNK.match(line)) is not None:
                self._number, self._parents = int(hunk[2]) - 1, len(hunk[1])
            elif self._parents and "-" not in (signs := line[: self._parents]):
                self._number += 1
                if signs == "+" * self._parents:
                    yield line[self._parents :]


def _kind(line: str) -> str | None:
    for start in range(0, len(line), PIECE_CHARS - OVERLAP_CHARS):
        piece = line[start : start + PIECE_CHARS]
        for one in _detectors():
            if any(one.analyze_string(piece)):
                return str(one.secret_type)
    return None


@cache
def _detectors() -> Sequence[Any]:
    from detect_secrets.plugins import (  # noqa: PLC0415 - slow to import; not every run needs it
        artifactory,
        aws,
        azure_storage_key,
        discord,
        github_token,
        gitlab_token,
        mailchimp,
        npm,
        openai,
        private_key,
        pypi_token,
        sendgrid,
        slack,
        square_oauth,
        stripe,
        telegram_token,
        twilio,
    )

    return (
        artifactory.ArtifactoryDetector(),
        aws.AWSKeyDetector(),
        azure_storage_key.AzureStorageKeyDetector(),
        discord.DiscordBotTokenDetector(),
        github_token.GitHubTokenDetector(),
        gitlab_token.GitLabTokenDetector(),
        mailchimp.MailchimpDetector(),
        npm.NpmDetector(),
        openai.OpenAIDetector(),
        private_key.PrivateKeyDetector(),
        pypi_token.PypiTokenDetector(),
        sendgrid.SendGridDetector(),
        slack.SlackDetector(),
        square_oauth.SquareOAuthDetector(),
        stripe.StripeDetector(),
        telegram_token.TelegramBotTokenDetector(),
        twilio.TwilioKeyDetector(),
    )
