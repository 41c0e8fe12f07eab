"""The parts of the embedded PostgreSQL; `app.storage.embedded` puts them together."""
