"""Answer what only a target or a model store can tell, while somebody waits."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from pydantic import TypeAdapter

from app.core.errors import AppError
from app.core.failure import FailureCode, TargetError
from app.core.model_uri import parse_model_uri
from app.core.specs import DeploymentSpec
from app.core.target import ResolvedModel, SupportsLogs
from app.preflight.rules import Finding, check, check_spec
from app.runner.query_azure import AzureAnswers
from app.runner.query_clusters import ClusterAnswers
from app.runner.query_keys import KeyAnswers
from app.runner.running import RunningJob
from app.runner.work import Work
from app.services import queries as questions
from app.storage import queries, revisions, workspaces

_LOG = structlog.get_logger(__name__)
_SPEC = TypeAdapter(DeploymentSpec)
_MODEL = TypeAdapter(ResolvedModel | None)
_FINDINGS = TypeAdapter(list[Finding])

Question = Mapping[str, Any]


class QueryRunner:
    """Answers queries; a refusal is an answer too, and nothing of either is kept."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def answer(self, job: RunningJob, *, query_id: str) -> None:
        """Answer one query, unless nobody waits for it any more."""
        del job  # A query changes nothing at a target.
        context = self._work.context
        async with context.database.reading() as connection:
            stored = await queries.question(connection, query_id)
        if stored is None:
            return
        kind, token = stored
        question = questions.read_question(context, query_id, token)
        answer = await self._answered(query_id, kind, question)
        async with context.database.transaction() as tx:
            await queries.reply(tx, query_id, answer)

    async def _answered(self, query_id: str, kind: str, question: Question) -> bytes:
        context = self._work.context
        try:
            answer = await self._kinds()[kind](question)
        except TargetError as error:
            return questions.refusal(
                context,
                query_id,
                code=error.failure.code,
                detail=error.failure.cause or error.failure.message,
                remedy=error.failure.remedy,
            )
        except AppError as error:
            return questions.refusal(
                context,
                query_id,
                code=error.code,
                detail=error.detail,
                remedy=error.advice,
            )
        return questions.reply(context, query_id, answer)

    def _kinds(self) -> Mapping[str, Callable[[Question], Awaitable[Any]]]:
        return {
            "resolve": self._resolve,
            "preflight": self._preflight,
            "logs": self._logs,
            **KeyAnswers(self._work).kinds(),
            **AzureAnswers(self._work).kinds(),
            **ClusterAnswers(self._work).kinds(),
        }

    async def _resolve(self, question: Question) -> Any:  # noqa: ANN401
        model = await self._find(question["workspace"], question["uri"])
        return _MODEL.dump_python(model, mode="json")

    async def _preflight(self, question: Question) -> Any:  # noqa: ANN401
        spec = _SPEC.validate_python(question["spec"])
        of_spec = _FINDINGS.dump_python(check_spec(spec), mode="json")
        try:
            model = await self._find(question["workspace"], spec.model.uri)
        except TargetError as error:
            if error.failure.code is not FailureCode.MODEL_NOT_FOUND:
                raise
            return {"model": None, "findings": [_not_found(error), *of_spec]}
        if model is None:
            return {"model": None, "findings": of_spec}
        async with self._work.context.database.reading() as connection:
            workspace = await workspaces.get(connection, question["workspace"])
        facts = await self._work.store.inspect(workspace, model)
        findings = _FINDINGS.dump_python(check(facts, spec), mode="json")
        return {"model": _MODEL.dump_python(model, mode="json"), "findings": findings}

    async def _find(self, workspace_name: str, uri: str) -> ResolvedModel | None:
        async with self._work.context.database.reading() as connection:
            workspace = await workspaces.get(connection, workspace_name)
        return await self._work.store.find(workspace, parse_model_uri(uri))

    async def _logs(self, question: Question) -> Any:  # noqa: ANN401
        async with self._work.context.database.reading() as connection:
            revision = await revisions.get(
                connection, question["deployment_id"], question["revision"]
            )
        target = self._work.target(revision.spec.target.kind)
        if revision.handle is None or not isinstance(target, SupportsLogs):
            return {"lines": []}
        lines = await target.logs(
            revision.handle, source=question["source"], tail=question["tail"]
        )
        return {"lines": lines}


def _not_found(error: TargetError) -> Mapping[str, Any]:
    return {
        "code": error.failure.code,
        "severity": "error",
        "message": error.failure.message,
        "remedy": error.failure.remedy,
        "evidence": error.failure.cause,
    }
