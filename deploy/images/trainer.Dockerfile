# The trainer: an agent and one child process a job. No web framework, no database.
# Which python is said in docker-compose.yml.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE} AS build
ENV UV_PROJECT_ENVIRONMENT=/opt/nighttrain UV_LINK_MODE=copy UV_COMPILE_BYTECODE=0 UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY deploy/bootstrap.txt deploy/
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r deploy/bootstrap.txt
# The dependencies first, so that a change of the code does not install them again.
COPY pyproject.toml setup.py uv.lock README.md ./
RUN /opt/uv/bin/uv sync --frozen --no-dev --no-install-project --extra trainer --extra objects --extra cli --python python3
COPY cli cli
COPY common common
COPY trainer trainer
RUN /opt/uv/bin/uv sync --frozen --no-dev --no-editable --extra trainer --extra objects --extra cli --python python3 \
 && chmod -R go+rX /opt/nighttrain # a clone under umask 077 is readable by its owner alone

# Tests, headers and type stubs of the numeric stack are not needed at run time: they are a fifth of it.
RUN cd /opt/nighttrain/lib/python3*/site-packages \
 && find . -type d \( -name tests -o -name include \) -prune -exec rm -rf {} + \
 && find . -name '*.pyi' -delete -o -name '*.pxd' -delete -o -name '*.a' -delete

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="nighttrain trainer" \
      org.opencontainers.image.description="Stateless trainer of Nighttrain" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/nighttrain/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/nighttrain /opt/nighttrain
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin nighttrain \
 && install -d -o 10001 -g 10001 /cache && install -d /candles
# A read-only root cannot keep bytecode, so what a start imports is compiled here: it takes seconds otherwise.
RUN PYTHONDONTWRITEBYTECODE= python3 -c "import trainer.__main__, trainer.job, trainer.artifact, trainer.sources.sample, cli.app, cli.local.candles_at_hand, common.settings.night, urllib.request"
ARG REVISION=unknown
LABEL org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION"
USER 10001:10001
WORKDIR /cache
EXPOSE 9101
ENTRYPOINT ["python3", "-m", "trainer"]
