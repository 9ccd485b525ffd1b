# The service on Debian, as a user without rights, from a file system that may be read-only. Only /data is written.
#
# Bases are pinned by version. Whoever builds for production pins them by digest as well, with the digests that
# their own registry shows for these tags.

FROM denoland/deno:bin-2.9.6 AS deno

FROM debian:12.12-slim AS base
COPY --from=deno /deno /usr/local/bin/deno
# No request of the runtime's own: no look for updates, and modules from here alone.
ENV DENO_DIR=/deno-dir DENO_NO_UPDATE_CHECK=1 NO_COLOR=1
WORKDIR /app

FROM base AS build
# The packages change rarely and the code often: a layer each.
COPY deno.json deno.lock ./
COPY packages packages
RUN deno install --frozen --quiet
COPY . .
# Every entry point, so that a start needs no network and a type-stripped copy of each module is there.
RUN deno cache --frozen --quiet main.ts whatsapp/worker/main.ts tools/*.ts tools/doctor/main.ts
RUN chmod -R a+rX,go-w /app /deno-dir && chmod 0755 packaging/*.sh

FROM base
COPY --from=build /deno-dir /deno-dir
COPY --from=build /app /app
# A number, so that an orchestrator can see that it is not root.
RUN install -d -o 10001 -g 10001 -m 0700 /data
USER 10001:10001
VOLUME /data
# HUB_API_KEY and INTERNAL_API_KEY have to be given: without them the service refuses such a HOST.
ENV HOST=0.0.0.0 PORT=8080 DATABASE_URL=sqlite:/data/session-manager.db
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=45s --retries=3 CMD ["/app/packaging/healthcheck.sh"]
# Passes signals and exit code on, and can stay instead of ending with 78: ON_CONFIG_FAULT=wait.
ENTRYPOINT ["/app/packaging/entrypoint.sh"]
# What `deno task start` runs. It reads the configuration, may start this one program, and gives the service the
# permissions that follow.
CMD ["deno", "run", "--quiet", "--frozen", "--cached-only", \
  "-P=launcher", "--allow-run=/usr/local/bin/deno", "tools/start.ts"]
