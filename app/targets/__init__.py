"""Places that can serve a model, and the MLflow stores that models come from."""
