"""One module a resource; each has a `router` that `app.api.app` includes."""
