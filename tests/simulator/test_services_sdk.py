"""The unmodified azureml-core: models, blobs and services of ACI and AKS."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.simulator.services import ServiceBook
from tests.simulator.driven import (
    ACI_OPTIONS,
    AKS_OPTIONS,
    Driven,
    driving,
    sent_of,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driven() -> AsyncIterator[Driven]:
    async with driving() as ready:
        yield ready


async def test_only_known_routes_of_known_hosts_were_called(driven: Driven) -> None:
    journal = driven.simulator.world.journal

    assert journal.unexpected_hosts == {}
    assert [request.path for request in journal.unknown()] == []


async def test_a_model_keeps_what_it_was_registered_with(driven: Driven) -> None:
    models = driven.told["models"]

    assert models["id"] == "sklearn-model:1"
    assert models["tags"] == {"method": "sklearn", "team": "research"}
    assert models["properties"] == {"origin": "here"}
    assert models["description"] == "Diabetes model"
    assert models["back"]
    assert models["empty"]


async def test_models_are_listed_by_page_name_tag_and_latest(driven: Driven) -> None:
    models = driven.told["models"]

    assert models["paged"] == 25
    assert models["latest"] == ["sklearn-model:25"]
    assert models["tagged"] == ["sklearn-model:1"]


async def test_a_deleted_version_is_missing_and_never_comes_back(
    driven: Driven,
) -> None:
    models = driven.told["models"]

    assert "ModelNotFound" in models["missing"]
    assert "ModelNotFound" in models["after_delete"]
    assert models["next"] == 27


async def test_blobs_are_staged_checked_and_read_in_ranges(driven: Driven) -> None:
    blobs = driven.told["blobs"]

    assert blobs["whole"]
    assert blobs["part"]
    assert blobs["readable"]
    assert "BlobAlreadyExists" in blobs["twice"]
    assert "AuthenticationFailed" in blobs["forged"]


async def test_a_lost_answer_leaves_a_service_that_a_second_try_meets(
    driven: Driven,
) -> None:
    lost = driven.told["lost"]

    assert "RemoteDisconnected" in lost["refusal"]
    assert lost["stands"] == {"mark": "lost"}
    assert "already exists" in lost["again"]


async def test_waiting_shows_the_operation_log_line_by_line(driven: Driven) -> None:
    shown = [
        line.split("+00:00 ", 1)[1]
        for line in driven.out.splitlines()
        if "+00:00 " in line
    ]

    assert shown[:7] == [
        "Creating Container Registry if not exists.",
        "Registering the environment.",
        "Use the existing image.",
        "Generating deployment configuration.",
        "Submitting deployment to compute.",
        "Checking the status of deployment diabetes-model-1..",
        "Checking the status of inference endpoint diabetes-model-1..",
    ]
    assert (
        'ACI service creation operation finished, operation "Succeeded"' in driven.out
    )


async def test_a_deployed_service_is_healthy_scores_and_shows_what_it_is(
    driven: Driven,
) -> None:
    aci = driven.told["aci"]
    shown = aci["serialized"]

    assert aci["states"] == ["Transitioning", "Healthy"]
    assert shown["description"] == "Diabetes model"
    assert shown["location"] == "eastus2"
    assert shown["containerResourceRequirements"] == {"cpu": 1, "memoryInGB": 1}
    assert shown["scoringUri"].endswith(".eastus2.azurecontainer.io/score")
    assert aci["models"] == ["sklearn-model:1"]
    assert aci["environment"] == "served"
    assert len(aci["prediction"]["predictions"]) == 2
    assert aci["prediction"]["simulated"] is True


async def test_logs_are_cut_to_the_tail_and_told_apart(driven: Driven) -> None:
    aci = driven.told["aci"]

    assert len(aci["log"].splitlines()) == 3
    assert "Server listening" in aci["log"]
    assert aci["init_log"] == "Simulated download of model sklearn-model:1: done\n"


async def test_a_model_in_use_is_not_deleted(driven: Driven) -> None:
    assert "Response Code: 412" in driven.told["aci"]["in_use"]


async def test_keys_are_chosen_regenerated_and_gone_without_auth(
    driven: Driven,
) -> None:
    primary, secondary = driven.told["aci"]["keys"]

    assert primary == "chosen"
    assert len(secondary) == 32
    assert "AuthNotEnabled" in driven.told["aci"]["no_keys"]


async def test_an_update_changes_what_it_names_and_no_property(driven: Driven) -> None:
    aci = driven.told["aci"]
    updated = aci["updated"]

    assert updated["tags"] == {"method": "sklearn"}
    assert updated["properties"] == {"added": "later"}
    assert updated["description"] == "Changed"
    assert updated["insights"] is True
    assert updated["scoringUri"] == aci["serialized"]["scoringUri"]
    assert "PropertiesImmutable" in aci["changed_property"]
    assert aci["listed"] == ["diabetes-model-1"]
    assert "WebserviceNotFound" in aci["gone"]


async def test_a_crash_tells_its_cause_and_keeps_log_and_name(driven: Driven) -> None:
    crash = driven.told["crash"]

    assert "current service state: Failed" in crash["refusal"]
    assert "More information can be found using '.get_logs()'" in crash["refusal"]
    assert "CrashLoopBackOff" in crash["refusal"]
    assert crash["error"] == "AciDeploymentFailed"
    assert "ModuleNotFoundError" in crash["log"]
    assert crash["scoring_uri"] is None
    assert driven.workspace.part(ServiceBook).get("crashes").state == "Failed"


async def test_every_option_of_aci_is_sent_and_kept(driven: Driven) -> None:
    sent = sent_of(driven, "all-options")
    kept = driven.workspace.part(ServiceBook).get("all-options").document

    wanted = ACI_OPTIONS
    assert {name: sent[name] for name in wanted} == wanted
    assert {name: kept[name] for name in wanted} == wanted
    assert sent["containerResourceRequirements"] == {"cpu": 2, "memoryInGB": 3.5}
    assert sent["keys"] == {"primaryKey": "first", "secondaryKey": "second"}


async def test_every_option_of_aci_is_shown_but_secrets(driven: Driven) -> None:
    options = driven.told["options"]

    assert options["keys"] == ["first", "second"]
    assert options["uri"] == "https://models.example.com/score"
    assert options["vnet"] == {"vnetName": "net", "subnetName": "sub"}
    assert options["cmk"]["keyVersion"] == "7"
    assert options["ssl_key"] is None
    assert len(options["prediction"]["predictions"]) == 1


async def test_every_option_of_aks_is_sent_and_shown(driven: Driven) -> None:
    sent, shown = sent_of(driven, "my-aks"), driven.told["aks"]["created"]

    wanted = AKS_OPTIONS
    assert {name: sent[name] for name in wanted} == wanted
    assert {name: shown[name] for name in wanted} == wanted
    assert sent["kvTags"] == shown["tags"] == {"one": "1"}
    assert sent["keys"] == {"primaryKey": "first", "secondaryKey": "second"}
    assert sent["namespace"] == "models"
    assert sent["storageInitEnabled"] is True


async def test_a_service_on_a_cluster_answers_by_token_then_by_key(
    driven: Driven,
) -> None:
    aks = driven.told["aks"]

    assert aks["created"]["scoringUri"].endswith(":80/api/v1/service/my-aks/score")
    assert len(aks["prediction"]["predictions"]) == 3
    assert aks["keys"] == ["first", "second"]
    assert "WebserviceNotFound" in aks["gone"]


async def test_an_update_of_aks_changes_each_option(driven: Driven) -> None:
    updated = driven.told["aks"]["updated"]

    assert updated["autoScaler"]["autoscaleEnabled"] is False
    assert updated["numReplicas"] == 3
    assert updated["authEnabled"] is True
    assert updated["aadAuthEnabled"] is False
    assert updated["containerResourceRequirements"]["cpu"] == 0.7
    assert updated["containerResourceRequirements"]["memoryInGB"] == 1.5
    assert updated["scoringTimeoutMs"] == 6000
    assert updated["maxConcurrentRequestsPerContainer"] == 5
    assert updated["maxQueueWaitMs"] == 800
    assert updated["livenessProbeRequirements"]["periodSeconds"] == 12
    assert updated["dataCollection"]["storageEnabled"] is False
    assert updated["appInsightsEnabled"] is False


async def test_a_cluster_that_is_not_there_is_named(driven: Driven) -> None:
    assert driven.told["aks"]["no_cluster"] == "Compute no-such not found."


async def test_services_of_others_are_listed_as_they_are(driven: Driven) -> None:
    foreign = driven.told["foreign"]

    assert foreign["types"]["odd"] == "UnknownWebservice"
    assert foreign["types"]["from-image"] == "AciWebservice"
    assert foreign["image"] == "image:1"


async def test_environments_are_numbered_read_and_listed(driven: Driven) -> None:
    assert driven.told["environments"] == {
        "versions": ["1", "2"],
        "newest": "2",
        "listed": ["served"],
    }
