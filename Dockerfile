# One image for each program, each with a lighttpd in front of it: targets gateway, users and orders.
# The configurations are those that run without containers. `docker compose up --build` runs it all.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY .ci/packages .ci/
RUN .ci/packages build
COPY Makefile ./
COPY lighttpd lighttpd
COPY lib lib
COPY fcgi-gateway fcgi-gateway
COPY fcgi-users fcgi-users
COPY fcgi-orders fcgi-orders
RUN make -j"$(nproc)" build && strip build/fcgi-gateway build/fcgi-users build/fcgi-orders

# curl asks for the health. lighttpd starts "./program": the working directory is where they are, see
# lighttpd/common.conf. It finishes what is under way on SIGINT, and drops it on SIGTERM.
FROM debian:bookworm-slim AS base
RUN apt-get -qq update \
 && apt-get -qq install --no-install-recommends -y lighttpd curl libcurl4 libsqlite3-0 libjq1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --home-dir /nonexistent --shell /usr/sbin/nologin app \
 && install -d -m 700 -o app -g app /run/app /data
COPY --from=build /src/build/errors /app/bin/errors
COPY lighttpd/common.conf /app/lighttpd/
WORKDIR /app/bin
USER app
ENV RUN_DIR=/run/app MAX_FDS=24576
STOPSIGNAL SIGINT

FROM base AS users
COPY lighttpd/users.conf /app/lighttpd/
COPY --from=build /src/build/fcgi-users ./
ENV USERS_BIND=0.0.0.0 DATABASE_PATH=/data/users.db
VOLUME /data
EXPOSE 5001
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
  CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:5001/health"]
CMD ["lighttpd", "-D", "-f", "/app/lighttpd/users.conf"]

FROM base AS orders
COPY lighttpd/orders.conf /app/lighttpd/
COPY --from=build /src/build/fcgi-orders ./
ENV ORDERS_BIND=0.0.0.0 DATABASE_PATH=/data/orders.db
VOLUME /data
EXPOSE 5002
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
  CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:5002/health"]
CMD ["lighttpd", "-D", "-f", "/app/lighttpd/orders.conf"]

# The gateway's own health is that it answers; its /health also tells of the services, and restarting
# the gateway would not help those.
FROM base AS gateway
COPY lighttpd/gateway.conf /app/lighttpd/
COPY fcgi-gateway/gateway.json /app/
COPY --from=build /src/build/docs docs
COPY --from=build /src/build/fcgi-gateway ./
ENV PORT=8000 GATEWAY_CONFIG=/app/gateway.json
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
  CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8000/"]
CMD ["lighttpd", "-D", "-f", "/app/lighttpd/gateway.conf"]
