"""Targets `aci` and `aks`: web services of Azure ML's v1, made by azureml-core.

azureml-core runs in child processes alone: it changes the working directory, keeps
process-wide state, and leaves files, descriptors and threads behind.
"""
