# Two images from the official Python slim image alone:
#   docker build --target api    -t slipway-api .      no MLflow, no Azure SDK
#   docker build --target worker -t slipway-worker .   everything
# For a build that can be repeated, name the base by its digest:
#   --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:...
ARG PYTHON_IMAGE=python:3.13-slim

# The environment is made without pip: what runs has no installer.
FROM ${PYTHON_IMAGE} AS base-packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN ["python", "-m", "venv", "--without-pip", "/opt/slipway"]
COPY requirements/base.txt requirements/
RUN ["python", "-m", "pip", "--python", "/opt/slipway/bin/python", "install", \
     "--require-hashes", "-r", "requirements/base.txt"]

FROM base-packages AS worker-packages
COPY requirements/worker.txt requirements/
RUN ["python", "-m", "pip", "--python", "/opt/slipway/bin/python", "install", \
     "--require-hashes", "-r", "requirements/worker.txt"]

# Slipway's own wheel: the application and, beside it, its migrations.
FROM ${PYTHON_IMAGE} AS wheel
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN ["python", "-m", "venv", "/opt/build"]
COPY requirements/build.txt requirements/
RUN ["/opt/build/bin/pip", "install", "--require-hashes", "-r", "requirements/build.txt"]
COPY pyproject.toml LICENSE ./
COPY app app
COPY migrations migrations
RUN ["/opt/build/bin/pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", \
     "--wheel-dir", "/wheels", "."]

FROM base-packages AS api-installed
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    ["python", "-m", "pip", "--python", "/opt/slipway/bin/python", "install", \
     "--no-deps", "--no-index", "--find-links", "/wheels", "slipway"]

FROM worker-packages AS worker-installed
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    ["python", "-m", "pip", "--python", "/opt/slipway/bin/python", "install", \
     "--no-deps", "--no-index", "--find-links", "/wheels", "slipway"]

# What both have in common. The root may be read-only: only the data directory
# and /tmp are written to. Byte code is compiled above, at installation.
FROM ${PYTHON_IMAGE} AS runtime
RUN ["useradd", "--uid", "10001", "--user-group", "--no-log-init", \
     "--home-dir", "/var/lib/slipway", "--no-create-home", \
     "--shell", "/usr/sbin/nologin", "slipway"]
RUN ["install", "-d", "-m", "0700", "-o", "10001", "-g", "10001", "/var/lib/slipway"]
ENV PATH=/opt/slipway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SLIPWAY_DATA_DIR=/var/lib/slipway \
    SLIPWAY_LOG_JSON=true
WORKDIR /var/lib/slipway
USER 10001:10001

FROM runtime AS worker
# MLflow looks for git, which is not here, and would say so at each start.
ENV GIT_PYTHON_REFRESH=quiet
COPY --from=worker-installed /opt/slipway /opt/slipway
# No HEALTHCHECK: a worker listens nowhere, and one that cannot go on exits
# non-zero, which the restart policy answers.
CMD ["slipway", "worker"]

# Last, so that a build without --target makes this one.
FROM runtime AS api
# Inside a container the loopback would be reached by nobody.
ENV SLIPWAY_HOST=0.0.0.0 SLIPWAY_PORT=8080
COPY --from=api-installed /opt/slipway /opt/slipway
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['SLIPWAY_PORT'] + '/livez', timeout=2)"]
CMD ["slipway", "api"]
