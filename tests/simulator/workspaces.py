"""Paths of the workspace that every simulator starts with."""

from app.simulator.world import SUBSCRIPTION

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ml"
PROD = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/prod"
CLUSTER = f"{PROD}/computes/aks1"
READ = "https://eastus2.api.azureml.ms/rp/workspaces"
A_CLUSTER = {"properties": {"computeType": "AKS"}}
