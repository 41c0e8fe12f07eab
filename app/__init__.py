"""Slipway launches MLflow models over HTTP and never does anything twice."""
