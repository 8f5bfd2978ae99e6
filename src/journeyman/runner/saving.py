"""Keeping what is in a run's sandbox: after each turn, and before the sandbox ends."""

from __future__ import annotations

import structlog

from journeyman.domain.events import EventType, NewEvent
from journeyman.runner import looks
from journeyman.runner.live import Run
from journeyman.workspace import MirrorBroken, WorkspaceError, checkout

log = structlog.get_logger()


async def try_to_save(run: Run) -> None:
    """A tree that cannot be kept is no reason to stop, nor to end otherwise: it is told."""
    try:
        await save(run)
    except WorkspaceError as error:
        await _tell_unsaved(run, error)


async def _tell_unsaved(run: Run, error: Exception) -> None:
    message = f"The working tree was not saved this time: {error}"
    await run.emit([NewEvent(EventType.SESSION_INFO, {"message": message})])


async def save(run: Run) -> None:
    """Keep the working tree as a checkpoint, if it differs from the one before."""
    newest = run.newest
    found = await checkout.snapshot(run.box, base_sha=run.base_sha, last=run.checkpoint)
    if found is None:
        run.conversation.saved()
        session = run.held.session
        if newest is not None:
            looks.tell(run.equipment.workspace(session.id), session.fence, newest)
        return
    made = await run.equipment.ledger.save(run.held.session, found)
    run.checkpoint = found.without_bundle
    run.ours.add(found.sha)
    run.hear(made)


async def keep(run: Run, *, commit: bool, mend: bool) -> None:
    """What is in the sandbox that is about to end; with *mend*, which may take long, what a broken
    mirror does not let git read in another one: its own may be one that others have replaced."""
    try:
        try:
            await _save_all(run, commit=commit)
        except MirrorBroken as error:
            log.warning("mirror.suspected", session_id=run.held.session.id, error=str(error))
            if not mend:
                raise
            await run.box.close()
            if (another := await run.another_box()) is None:
                raise
            run.box, run.hooks = another, run.hooks_in(another)
            await _save_all(run, commit=commit)
    except WorkspaceError as error:
        if commit:
            raise
        await _tell_unsaved(run, error)


async def _save_all(run: Run, *, commit: bool) -> None:
    if commit:
        await checkout.commit_all(run.box, run.held.task_name, trailers=run.trailers)
    await save(run)
