"""Models and blobs, as a user of azureml-core and azure-storage-blob handles them."""

from pathlib import Path
from typing import Any

from azure.storage.blob import BlobClient
from azureml._restclient.artifacts_client import (  # type: ignore[import-untyped]
    ArtifactsClient,
)
from azureml.core.model import Model  # type: ignore[import-untyped]

from tests.simulator.script_refusal import refusal

WEIGHTS = b"weights" * 50_000


def use_models(workspace: Any) -> dict[str, object]:  # noqa: ANN401
    Path("model/data").mkdir(parents=True)
    Path("model/MLmodel").write_text("flavors: {}\n")
    Path("model/data/weights.bin").write_bytes(WEIGHTS)
    Path("model/empty").touch()
    first = Model.register(
        workspace,
        "model",
        "sklearn-model",
        tags={"method": "sklearn"},
        properties={"origin": "here"},
        description="Diabetes model",
    )
    for _ in range(25):
        Model._register_with_asset(  # noqa: SLF001
            workspace, "sklearn-model", first.url.removeprefix("aml://asset/")
        )
    first.add_tags({"team": "research"})
    first.download("back")
    again = Model(workspace, id="sklearn-model:1")
    last = Model(workspace, "sklearn-model", version=26)
    last.delete()
    return {
        "id": again.id,
        "tags": again.tags,
        "properties": again.properties,
        "description": again.description,
        "paged": len(Model.list(workspace, name="sklearn-model", page_count=20)),
        "latest": [each.id for each in Model.list(workspace, latest=True)],
        "tagged": [each.id for each in Model.list(workspace, tags=["team"])],
        "back": Path("back/model/data/weights.bin").read_bytes() == WEIGHTS,
        "empty": Path("back/model/empty").read_bytes() == b"",
        "missing": refusal(lambda: Model(workspace, "no-such", version=1)),
        "after_delete": refusal(lambda: Model(workspace, "sklearn-model", version=26)),
        "next": Model._register_with_asset(  # noqa: SLF001
            workspace, "sklearn-model", first.url.removeprefix("aml://asset/")
        ).version,
    }


def use_blobs(workspace: Any) -> dict[str, object]:  # noqa: ANN401
    client = ArtifactsClient(workspace.service_context)
    made = client.create_empty_artifacts("LocalUpload", "staged", ["big.bin"])
    uri = made.artifact_content_information["big.bin"].content_uri
    content = bytes(range(256)) * 12_000
    size = 256 * 1024
    blob = BlobClient.from_blob_url(
        uri,
        max_single_put_size=size,
        max_block_size=size,
        max_single_get_size=size,
        max_chunk_get_size=size,
    )
    blob.upload_blob(content, validate_content=True)
    return {
        "whole": blob.download_blob().readall() == content,
        "part": blob.download_blob(offset=1000, length=10).readall()
        == content[1000:1010],
        "twice": refusal(lambda: blob.upload_blob(content)),
        "forged": refusal(
            lambda: BlobClient.from_blob_url(
                uri.replace("big.bin", "other.bin")
            ).upload_blob(b"x")
        ),
        "readable": client.download_artifact_contents_to_bytes(
            "LocalUpload", "staged", "big.bin"
        )
        == content,
    }
