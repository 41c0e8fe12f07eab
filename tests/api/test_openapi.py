"""The OpenAPI document says what the core declares and what the routes do."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from app.api.app import ROUTERS
from app.api.errors import status_of
from app.api.openapi import published_errors
from app.core.diff import option_effects
from app.core.event import EVENT_TYPES
from app.core.failure import FailureCode
from app.core.lifecycle import (
    CLUSTER_MOVES,
    DEPLOYMENT_MOVES,
    OPERATION_MOVES,
    DeploymentState,
    OperationState,
)
from tests.api.house import Api

# What no request can cause: the process, or a worker, ends by these.
NOT_ANSWERED = {
    "operator_error",
    "data_directory_locked",
    "lease_lost",
    "fenced",
    "illegal_move",
    "secret_unreadable",
    "target_failed",
    "method_not_allowed",
}


TARGETS = {"local": "LocalOptions", "aci": "AciOptions", "aks": "AksOptions"}


@pytest.fixture
async def document(api: Api) -> dict[str, Any]:
    return dict((await api.admin.get("/openapi.json")).json())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def examples(document: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    shared = document["components"]["examples"]
    found = content.get("examples", {})
    return {
        name: shared[one["$ref"].rpartition("/")[2]]["value"]
        if "$ref" in one
        else one["value"]
        for name, one in found.items()
    }


async def test_the_document_is_valid_openapi_31(document: dict[str, Any]) -> None:
    validate(document)

    assert document["openapi"].startswith("3.1")


async def test_the_document_needs_no_key(api: Api) -> None:
    del api.admin.headers["Authorization"]

    assert (await api.admin.get("/openapi.json")).status_code == 200


async def test_every_route_is_in_it(document: dict[str, Any]) -> None:
    shown = {(method, path) for method, path, _ in operations(document)}

    served = {
        (method, route.path) for route in _routes() for method in route.methods or ()
    }
    assert shown == served
    assert len(shown) > 40


async def test_every_route_has_a_summary_and_examples(
    document: dict[str, Any],
) -> None:
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        for status, answer in operation["responses"].items():
            assert answer["description"], where
            if status in {"204", "304"}:
                continue
            contents = answer["content"].values()
            assert all(examples(document, one) for one in contents), (where, status)


async def test_every_route_with_a_key_documents_the_common_errors(
    document: dict[str, Any],
) -> None:
    for method, path, operation in operations(document):
        if path.startswith("/v1/"):
            statuses = set(operation["responses"])
            assert {"400", "401", "403", "422", "500", "503"} <= statuses, path
            assert operation["security"], (method, path)


async def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        contents = operation.get("requestBody", {}).get("content", {}).values()
        for content in contents:
            assert content["examples"], (method, path)


async def test_every_error_code_is_published_with_an_example(
    document: dict[str, Any],
) -> None:
    shown = {
        problem["code"]: problem["status"]
        for _, _, operation in operations(document)
        for answer in operation["responses"].values()
        for problem in examples(
            document, answer.get("content", {}).get("application/problem+json", {})
        ).values()
    }

    declared = {kind.code: status_of(kind) for kind in published_errors()}
    assert shown == {
        code: status for code, status in declared.items() if code not in NOT_ANSWERED
    }
    published = document["x-error-codes"]
    assert {code: one["status"] for code, one in published.items()} == declared


async def test_every_state_has_an_example(document: dict[str, Any]) -> None:
    paths = document["paths"]
    deployment = paths["/v1/deployments/{deployment_id}"]["get"]["responses"]["200"]
    operation = paths["/v1/operations/{operation_id}"]["get"]["responses"]["200"]

    of_deployments = examples(document, deployment["content"]["application/json"])
    of_operations = examples(document, operation["content"]["application/json"])

    assert {one["state"] for one in of_deployments.values()} == set(DeploymentState)
    assert {one["state"] for one in of_operations.values()} == set(OperationState)
    failures = {one["error"]["code"] for one in of_operations.values() if one["error"]}
    assert failures == set(FailureCode) == set(document["x-failure-codes"])


async def test_examples_fit_their_schemas(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                schema = dict(content.get("schema", {}))
                checker = Draft202012Validator(
                    {**schema, "components": document["components"]}
                )
                for name, value in examples(document, content).items():
                    wrong = [error.message for error in checker.iter_errors(value)]
                    assert wrong == [], (method, path, status, name)


async def test_the_lifecycle_tables_are_published(document: dict[str, Any]) -> None:
    assert document["x-lifecycle"] == {
        "deployment": {old: sorted(news) for old, news in DEPLOYMENT_MOVES.items()},
        "cluster": {old: sorted(news) for old, news in CLUSTER_MOVES.items()},
        "operation": {old: sorted(news) for old, news in OPERATION_MOVES.items()},
    }


async def test_every_options_effect_is_published(document: dict[str, Any]) -> None:
    effects = {kind: dict(found) for kind, found in option_effects().items()}

    assert document["x-effects"] == effects
    options = document["components"]["schemas"]["LocalOptions"]["properties"]
    marked = {
        name: one["x-effect"] for name, one in options.items() if "x-effect" in one
    }
    assert marked == {"startup_timeout_seconds": "in_place"}
    assert all(one["description"] for name, one in options.items() if name != "kind")


async def test_target_is_told_apart_by_kind(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    for body in ("PutDeployment", "PostDeployment", "DeploymentSpec"):
        target = schemas[body]["properties"]["target"]
        assert target["discriminator"] == {
            "propertyName": "kind",
            "mapping": {
                kind: f"#/components/schemas/{name}" for kind, name in TARGETS.items()
            },
        }
        assert {one["$ref"].rpartition("/")[2] for one in target["oneOf"]} == set(
            TARGETS.values()
        )


async def test_a_workspace_is_told_apart_by_kind(document: dict[str, Any]) -> None:
    put = document["paths"]["/v1/workspaces/{workspace}"]["put"]
    schema = put["requestBody"]["content"]["application/json"]["schema"]

    assert set(schema["discriminator"]["mapping"]) == {"mlflow", "azureml"}


async def test_every_event_type_is_published(document: dict[str, Any]) -> None:
    assert document["x-event-types"] == list(EVENT_TYPES)


async def test_no_route_promises_an_error_that_it_never_sends(
    document: dict[str, Any],
) -> None:
    text = json.dumps(document)

    assert "HTTPValidationError" not in text


def _routes() -> Iterator[APIRoute]:
    for router in ROUTERS:
        yield from (one for one in router.routes if isinstance(one, APIRoute))
