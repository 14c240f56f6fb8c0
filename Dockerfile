# syntax=docker/dockerfile:1
# Built in a first stage; the image itself holds the program, the libraries it is linked with and nothing else: no
# shell, no package manager.
FROM rust:1.95-bookworm AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends make perl python3-pip && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN REQUIRE_TEMPLATES=1 make build && deploy/root-folder target/release/showrunner /image

FROM scratch
LABEL org.opencontainers.image.title="Showrunner" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.description="Read-only show commands on network devices by HTTP POST" \
      org.opencontainers.image.licenses="GPL-3.0-or-later"
COPY --from=build /image /
USER 65532:65532
# Who publishes the port decides who can reach it. With SHOWRUNNER_API_KEYS_FILE, and a file there, a key is asked for.
ENV SHOWRUNNER_HOST=0.0.0.0 \
    SHOWRUNNER_PORT=8000 \
    SHOWRUNNER_AUTH=api_key_or_none \
    SHOWRUNNER_LOG_FORMAT=json
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s CMD ["/usr/local/bin/showrunner", "health"]
ENTRYPOINT ["/usr/local/bin/showrunner"]
CMD ["serve"]
