# The service alone, without a Postgres of its own: give it a DATABASE_URL, as docker-compose.yml does.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock sqlx.toml ./
COPY .cargo .cargo
COPY .sqlx .sqlx
COPY benches benches
COPY crates crates
COPY migrations migrations
COPY models models
COPY src src
# What was fetched and compiled before is kept in caches, so the binary has to leave them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin leadscore && cp target/release/leadscore /leadscore

FROM debian:bookworm-slim
# The authorities by which a database's certificate is checked.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /leadscore /usr/local/bin/leadscore
# A number, so that an orchestrator can tell that it is not root.
USER 10001:10001
ENV LEADSCORE_LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["leadscore", "health"]
ENTRYPOINT ["leadscore"]
CMD ["serve"]
