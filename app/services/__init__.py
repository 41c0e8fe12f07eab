"""The use cases: each changes state, event, deliveries and jobs in one transaction."""
