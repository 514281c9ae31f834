# The coordinator: queue, checkpoint store, HTTP API. No numeric stack.
# Which python is said in docker-compose.yml.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE} AS build
ENV UV_PROJECT_ENVIRONMENT=/opt/nighttrain UV_LINK_MODE=copy UV_COMPILE_BYTECODE=0 UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY deploy/bootstrap.txt deploy/
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r deploy/bootstrap.txt
# The dependencies first, so that a change of the code does not install them again.
COPY pyproject.toml setup.py uv.lock README.md ./
RUN /opt/uv/bin/uv sync --frozen --no-dev --no-install-project --extra coordinator --extra postgres --extra objects --extra cli --python python3
COPY cli cli
COPY common common
COPY coordinator coordinator
# The page shows it; installed, the package has no repository around it.
COPY deploy/runbook.md coordinator/web/runbook.md
RUN /opt/uv/bin/uv sync --frozen --no-dev --no-editable --extra coordinator --extra postgres --extra objects --extra cli --python python3 \
 && chmod -R go+rX /opt/nighttrain # a clone under umask 077 is readable by its owner alone

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="nighttrain coordinator" \
      org.opencontainers.image.description="Priority queue and checkpoint store of Nighttrain" \
      org.opencontainers.image.licenses="MIT" \
      nighttrain.desk="1"
ENV PATH=/opt/nighttrain/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/nighttrain /opt/nighttrain
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin nighttrain && install -d -o 10001 -g 10001 /night
# A read-only root cannot keep bytecode, so what a start imports is compiled here: it takes seconds otherwise.
RUN PYTHONDONTWRITEBYTECODE= python3 -c "import coordinator.__main__, cli.app, cli.screen.plain_table, common.client.client, common.settings.night, coordinator.store.migrations.versions.v0001_first, uvicorn.protocols.http.auto, uvicorn.loops.auto, uvicorn.lifespan.on, sqlalchemy.dialects.sqlite, logging.config, urllib.request"
ARG REVISION=unknown
LABEL org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION"
USER 10001:10001
WORKDIR /night
EXPOSE 5000
ENTRYPOINT ["python3", "-m", "coordinator"]
CMD ["--out", "/night", "--host", "0.0.0.0", "--port", "5000"]
