"""Where a user lets an app act: the code from a device, and the question an app sent them with.

Knows nothing of tokens.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError
from journeyman.domain.oauth import PERMISSIONS, SCOPES, App, AppKind
from journeyman.service.consents import Ask, Consents, Question
from journeyman.web import render
from journeyman.web.desk import Desk
from journeyman.web.session import Visit

NOTHING = "Read what is public"


class Consent:
    def __init__(self, desk: Desk, consents: Consents) -> None:
        self._desk = desk
        self._consents = consents

    # --- Devices ---------------------------------------------------------------------------------

    async def show_device(self, request: Request, visit: Visit) -> Response:
        self._desk.account(request, visit)
        return self._code_form(visit)

    def _code_form(self, visit: Visit, *, user_code: str = "", error: str = "") -> Response:
        values = {"user_code": user_code, "error": error}
        return self._desk.page("device.html", visit, status=422 if error else 200, **values)

    async def device(self, request: Request, visit: Visit) -> Response:
        """First the code, then, on a page that says what for, the decision."""
        account = self._desk.account(request, visit)
        sent = await self._desk.form(request, visit)
        user_code, decision = sent.get("user_code", "").strip(), sent.get("decision", "")
        try:
            app, device = await self._consents.find_device(account, user_code)
            if decision in ("approve", "deny"):
                approved = decision == "approve"
                await self._consents.decide_device(account, device, approved=approved)
                return self._desk.page("decided.html", visit, app=app, approved=approved)
        except AppError as error:
            return self._code_form(visit, user_code=user_code[:20], error=error.message)
        return self._desk.page(
            "approve.html",
            visit,
            app=app,
            allowed=in_words(app, device.scopes),
            user_code=user_code.upper(),
            leads_to="",
        )

    # --- Apps that sent the browser here ---------------------------------------------------------

    async def show_authorize(self, request: Request, visit: Visit) -> Response:
        question = await self._consents.question(_ask(request))
        if question.failure is not None:
            return render.redirect(question.failed)
        self._desk.account(request, visit)
        return self._desk.page(
            "approve.html",
            visit,
            form_goes_to=question.redirect_uri,
            app=question.app,
            allowed=in_words(question.app, question.scopes),
            user_code="",
            leads_to=_place(question),
        )

    async def authorize(self, request: Request, visit: Visit) -> Response:
        """The question is in the address still, and looked at again."""
        account = self._desk.account(request, visit)
        sent = await self._desk.form(request, visit)
        question = await self._consents.question(_ask(request))
        if question.failure is not None:
            return render.redirect(question.failed)
        if sent.get("decision") != "approve":
            return render.redirect(question.denied)
        return render.redirect(await self._consents.agree(account, question))


def _ask(request: Request) -> Ask:
    asked = request.query_params
    return Ask(
        client_id=asked.get("client_id", ""),
        redirect_uri=asked.get("redirect_uri", ""),
        scope=asked.get("scope", ""),
        state=asked.get("state", ""),
        code_challenge=asked.get("code_challenge", ""),
        code_challenge_method=asked.get("code_challenge_method", ""),
    )


def _place(question: Question) -> str:
    """Where the browser will go, as much of it as tells sites apart."""
    return question.redirect_uri.split("?")[0]


def in_words(app: App, scopes: tuple[str, ...]) -> list[str]:
    """What the app will be able to do."""
    if app.kind is AppKind.OAUTH:
        return [words for scope, words in SCOPES.items() if scope in scopes] or [NOTHING]
    verbs = {"read": "Read", "write": "Read and change"}
    return [
        f"{verbs[level]} {PERMISSIONS.get(name, name)}"
        for name, level in sorted(app.permissions.items())
    ] or [NOTHING]
