# One image a service: `docker build --target listener .`, or all with `docker compose build`.
#
# Give the base by digest, so that a build is the same tomorrow and nobody can give it another:
#   --build-arg BASE=python:3.13-slim-trixie@$(docker buildx imagetools inspect python:3.13-slim-trixie --format '{{.Manifest.Digest}}')
ARG BASE=python:3.13-slim-trixie

# --- What runs is installed here, each service with only what it imports. --------------------------

FROM ${BASE} AS build
WORKDIR /src
# What others made comes as the very files of hashes.txt; after this no index is asked.
COPY hashes.txt .
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /build && \
    /build/bin/pip download -q --require-hashes --only-binary :all: --no-deps -r hashes.txt -d /verified
RUN /build/bin/pip install -q --no-index --find-links /verified hatchling
COPY libs libs
COPY services services
RUN /build/bin/pip wheel -q --no-deps --no-build-isolation -w /wheels libs/* services/*
# An environment without a pip of its own. It is filled from these two folders alone: no stranger's
# package can take the place of one of ours.
RUN python -m venv --without-pip /opt/dragonfly
COPY deploy/bill_of_materials.py deploy/install ./

FROM build AS build-listener
RUN ./install listener,fix

FROM build AS build-aggregator
RUN ./install aggregator

FROM build AS build-gateway
RUN ./install gateway

FROM build AS build-fix-gateway
RUN ./install fix-gateway

FROM build AS build-engine
RUN ./install engine

FROM build AS build-web
RUN ./install web

FROM build AS build-simulator
RUN ./install simulator

FROM build AS build-client
RUN ./install terminal

# --- The images. -----------------------------------------------------------------------------------

FROM ${BASE} AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="DragonflyBot" \
      org.opencontainers.image.description="One order book per instrument, made of every venue that trades it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
ENV PATH=/opt/dragonfly/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# What must outlive a container: a volume that is mounted here is the user's own.
RUN install -d -o 10001 -g 10001 -m 700 /var/lib/dragonfly
USER 10001:10001
HEALTHCHECK --interval=2s --timeout=5s --retries=3 --start-period=20s CMD ["dragonfly-health"]
ENTRYPOINT ["dragonfly"]

FROM runtime AS listener
COPY --from=build-listener /opt/dragonfly /opt/dragonfly
ENV DRAGONFLY_LISTENER_STATUS=127.0.0.1:9100
CMD ["listener"]

FROM runtime AS aggregator
COPY --from=build-aggregator /opt/dragonfly /opt/dragonfly
ENV DRAGONFLY_AGGREGATOR_STATUS=127.0.0.1:9100
CMD ["aggregator"]

FROM runtime AS gateway
COPY --from=build-gateway /opt/dragonfly /opt/dragonfly
ENV DRAGONFLY_GATEWAY_STATUS=127.0.0.1:9100 DRAGONFLY_GATEWAY_BIND=0.0.0.0:50051
EXPOSE 50051
CMD ["gateway"]

FROM runtime AS fix-gateway
COPY --from=build-fix-gateway /opt/dragonfly /opt/dragonfly
ENV DRAGONFLY_FIX_GATEWAY_STATUS=127.0.0.1:9100 DRAGONFLY_FIX_GATEWAY_BIND=0.0.0.0:9878
EXPOSE 9878
CMD ["fix-gateway"]

FROM runtime AS engine
COPY --from=build-engine /opt/dragonfly /opt/dragonfly
ENV DRAGONFLY_ENGINE_STATUS=127.0.0.1:9100
CMD ["engine"]

FROM runtime AS web
COPY --from=build-web /opt/dragonfly /opt/dragonfly
ENV DRAGONFLY_WEB_STATUS=127.0.0.1:9100 DRAGONFLY_WEB_BIND=0.0.0.0:50080
EXPOSE 50080
CMD ["web"]

FROM runtime AS simulator
COPY --from=build-simulator /opt/dragonfly /opt/dragonfly
ENV DRAGONFLY_SIMULATOR_STATUS=127.0.0.1:9100 DRAGONFLY_SIMULATOR_HOST=0.0.0.0 DRAGONFLY_SIMULATOR_PORT=9000
CMD ["simulator"]

FROM runtime AS client
COPY --from=build-client /opt/dragonfly /opt/dragonfly
HEALTHCHECK NONE
CMD ["watch", "--help"]

# One address for any number of gateways: bytes are passed on as they are, so TLS is end to end.
FROM ${BASE} AS balancer
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="DragonflyBot balancer" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update -qq && apt-get install -qq -y --no-install-recommends haproxy >/dev/null
COPY deploy/compose/haproxy.cfg /etc/haproxy/haproxy.cfg
COPY libs/dragonfly_common/src/dragonfly_common/__init__.py libs/dragonfly_common/src/dragonfly_common/health.py \
     libs/dragonfly_common/src/dragonfly_common/printable.py /opt/health/dragonfly_common/
ENV PYTHONPATH=/opt/health
USER 10001:10001
HEALTHCHECK --interval=2s --timeout=5s --retries=3 --start-period=20s CMD ["python", "-m", "dragonfly_common.health"]
EXPOSE 50051
STOPSIGNAL SIGUSR1
ENTRYPOINT ["haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg"]
