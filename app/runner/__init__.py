"""The worker: what moves operations on, and what keeps the house."""
