# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY proto_stubs proto_stubs
COPY tracelens tracelens
RUN python -m venv /opt/tracelens \
 && /opt/tracelens/bin/pip install --no-cache-dir --disable-pip-version-check .

FROM python:3.13-slim
RUN groupadd --system --gid 10001 tracelens \
 && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/tracelens --create-home tracelens
COPY --from=build /opt/tracelens /opt/tracelens
ENV PATH=/opt/tracelens/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TRACELENS_DB=/var/lib/tracelens/tracelens.duckdb
USER 10001:10001
WORKDIR /var/lib/tracelens
VOLUME /var/lib/tracelens
EXPOSE 4317 4318 4320
# It listens once it has taken up what an earlier process had acknowledged and not stored.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --start-interval=1s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:4320/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tracelens"]
CMD ["serve", "--grpc", "0.0.0.0:4317", "--http", "0.0.0.0:4318", "--ui", "0.0.0.0:4320"]
