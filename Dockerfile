# The images of jobgate. Two targets of one build:
#
#   docker build --target api    --build-arg VERSION=1.2.3 -t jobgate-api .
#   docker build --target worker --build-arg VERSION=1.2.3 -t jobgate-worker .
#
# The api's has the program and the libraries that it loads, and nothing else: no shell, no package manager. The worker's is a
# slim Debian, because it is there to be built upon: kubernetes/image/example shows how handlers are added.

ARG DEBIAN=docker.io/library/debian:trixie-slim

# ---- build: compiled, tested, stripped ----

FROM ${DEBIAN} AS build
WORKDIR /src
COPY tests/setup.sh tests/
RUN tests/setup.sh dockerfile
COPY . .
ARG VERSION=unknown
RUN make -j"$(nproc)" VERSION="${VERSION}" all build/release/check/unit
# The tests run as somebody without rights, as the programs will.
RUN setpriv --reuid=nobody --regid=nogroup --clear-groups \
        env HOME=/tmp JOBGATE_BIN=/src/build/release/bin JOBGATE_VARIANT=release CK_TIMEOUT_MULTIPLIER=5 \
        tests/run.sh build/release/check/unit
RUN kubernetes/image/assemble.sh "${VERSION}"

# ---- api: from nothing ----

FROM scratch AS api
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="jobgate-api" \
      org.opencontainers.image.description="Submit work over REST, find the result in your own Azure Storage account" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /image/api /
USER 1000:1000
EXPOSE 8080 9090
ENTRYPOINT ["/usr/bin/jobgate-api"]

# ---- worker: to be built upon ----

FROM ${DEBIAN} AS worker
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="jobgate-worker" \
      org.opencontainers.image.description="Runs the jobs of jobgate; add your handlers" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/debian:trixie-slim"
COPY --from=build /image/worker.packages /tmp/
RUN apt-get update -q && \
    DEBIAN_FRONTEND=noninteractive xargs apt-get install -q -y --no-install-recommends </tmp/worker.packages && \
    rm -rf /tmp/worker.packages /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/* \
        /usr/share/doc/* /usr/share/man/* /usr/share/locale/*
COPY --from=build /image/worker /
ENV HANDLERS_FILE=/etc/jobgate/handlers.json
USER 1000:1000
EXPOSE 9090
ENTRYPOINT ["/usr/bin/jobgate-worker"]
