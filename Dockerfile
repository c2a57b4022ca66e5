# The service without a Postgres. Set DATABASE_URL, as docker-compose.yml does.

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
# The caches keep fetched and compiled crates. They are not part of the image, so the binary is copied out of
# them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin leadscore && cp target/release/leadscore /leadscore

FROM debian:bookworm-slim
# The certificate authorities, to verify the certificate of a database.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /leadscore /usr/local/bin/leadscore
# A numeric user, so that an orchestrator can see that it is not root.
USER 10001:10001
ENV LEADSCORE_LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["leadscore", "health"]
ENTRYPOINT ["leadscore"]
CMD ["serve"]
