"""Which model URIs can be pinned, and to what."""

import pytest

from app.core.errors import InvalidError
from app.core.model_uri import (
    AliasUri,
    LatestUri,
    LoggedModelUri,
    ModelUri,
    RunModelUri,
    VersionUri,
    is_moving,
    parse_model_uri,
)


@pytest.mark.parametrize(
    ("uri", "parsed"),
    [
        ("runs:/a1b2/model", RunModelUri(run_id="a1b2", path="model")),
        ("runs:/a1b2/deep/path", RunModelUri(run_id="a1b2", path="deep/path")),
        ("models:/sklearn-model/3", VersionUri(name="sklearn-model", version="3")),
        ("models:/sklearn-model/03", VersionUri(name="sklearn-model", version="3")),
        ("models:/m@champion", AliasUri(name="m", alias="champion")),
        ("models:/m/latest", LatestUri(name="m")),
        ("models:/m/Production", LatestUri(name="m", stage="Production")),
        ("models:/m-" + "0a" * 16, LoggedModelUri(model_id="m-" + "0a" * 16)),
    ],
)
def test_a_uri_is_told_apart_without_asking_anybody(uri: str, parsed: ModelUri) -> None:
    assert parse_model_uri(uri) == parsed


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "model",
        "/etc/passwd",
        "file:///etc",
        "s3://bucket/model",
        "https://store/model",
        "runs:/a1b2",
        "runs:/a1b2/",
        "runs:/a1b2/../secret",
        "runs:/a1b2/x/./y",
        "runs:/a1b2/x//y",
        "runs:/a1b2/x?y",
        "runs:/../x",
        "models:/",
        "models:/m",
        "models:/m/",
        "models:/m/1/2",
        "models:/m@",
        "models:/a@b@c",
        "models://m/1",
        "models:/m/1\n",
    ],
)
def test_what_cannot_be_pinned_is_refused_at_its_field(uri: str) -> None:
    with pytest.raises(InvalidError) as refused:
        parse_model_uri(uri)

    assert [field.pointer for field in refused.value.fields] == ["/model/uri"]


def test_only_aliases_and_latest_move() -> None:
    moving = ["models:/m@a", "models:/m/latest", "models:/m/Production"]
    still = ["runs:/a/m", "models:/m/1", "models:/m-" + "0a" * 16]

    assert all(is_moving(parse_model_uri(uri)) for uri in moving)
    assert not any(is_moving(parse_model_uri(uri)) for uri in still)
