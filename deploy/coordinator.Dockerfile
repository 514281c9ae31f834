# The coordinator: queue, checkpoint store, HTTP API. No numeric stack.
FROM python:3.13-slim-trixie AS build
ENV UV_PROJECT_ENVIRONMENT=/opt/nighttrain UV_LINK_MODE=copy UV_COMPILE_BYTECODE=0 UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY deploy/bootstrap.txt deploy/
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r deploy/bootstrap.txt
# The dependencies first, so that a change of the code does not install them again.
COPY pyproject.toml uv.lock README.md ./
RUN /opt/uv/bin/uv sync --frozen --no-dev --no-install-project --extra coordinator --python python3
COPY cli cli
COPY common common
COPY coordinator coordinator
COPY trainer trainer
RUN /opt/uv/bin/uv sync --frozen --no-dev --no-editable --extra coordinator --python python3 \
 && rm -rf /opt/nighttrain/lib/python3*/site-packages/cli /opt/nighttrain/lib/python3*/site-packages/trainer

FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="nighttrain coordinator" \
      org.opencontainers.image.description="Priority queue and checkpoint store of Nighttrain" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/nighttrain/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/nighttrain /opt/nighttrain
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin nighttrain && install -d -o 10001 -g 10001 /night
USER 10001:10001
WORKDIR /night
EXPOSE 5000
ENTRYPOINT ["python3", "-m", "coordinator"]
CMD ["--out", "/night", "--host", "0.0.0.0", "--port", "5000"]
