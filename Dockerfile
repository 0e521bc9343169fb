# The image of every role; the command picks it: gateway, worker, delay, migrate, backup schedule.

FROM python:3.11.16-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84 AS python

FROM python AS build
WORKDIR /build
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PROJECT_ENVIRONMENT=/opt/actionstream \
    UV_PYTHON=/usr/local/bin/python3.11
# uv itself, at the version and with the hashes that a local run has.
COPY local/uv-requirements.txt local/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --disable-pip-version-check --root-user-action=ignore --require-hashes \
        -r local/uv-requirements.txt
# What the product needs changes less often than the product: a layer of its own.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --extra ocr --no-install-project
COPY . .
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --extra ocr --no-editable

FROM python
# Debian 12 has the clients of Postgres 15, and pg_dump refuses servers newer than itself. No exact
# versions: mirrors drop what was superseded, and then nothing could be built.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates postgresql-common \
    && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
    && apt-get install --yes --no-install-recommends postgresql-client-18 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin actionstream \
    && install --directory --owner=10001 --group=10001 --mode=0700 /backups
COPY --from=build /opt/actionstream /opt/actionstream
ENV ACTIONSTREAM_POSTGRES_BIN=/usr/lib/postgresql/18/bin \
    PATH=/opt/actionstream/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# By number, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /
EXPOSE 8080
ENTRYPOINT ["actionstream"]
CMD ["--help"]
