# syntax=docker/dockerfile:1
# docker build -t relayd . && docker run -p 4001:4001 -v relayd:/var/lib/relayd relayd

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Not `npm ci`: see relayd_install_packages in scripts/lib/env.sh.
RUN npm install --no-save --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --no-save --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="relayd" \
      org.opencontainers.image.description="A libp2p circuit relay v2 daemon" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
RUN useradd --system --uid 4001 --home-dir /var/lib/relayd --shell /usr/sbin/nologin relayd \
 && install -d -o relayd -g relayd -m 0700 /var/lib/relayd
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY configs ./configs
COPY LICENSE LICENSE-MIT LICENSE-APACHE ./
RUN printf '#!/bin/sh\nexec node /app/dist/main.js "$@"\n' >/usr/local/bin/relayd && chmod 0755 /usr/local/bin/relayd

# relayd takes the folder of its state from here, as from systemd.
ENV NODE_ENV=production STATE_DIRECTORY=/var/lib/relayd
USER relayd
VOLUME /var/lib/relayd
# 4001: peers. 9641: the admin server, on the container's loopback unless the config says otherwise and names a token file.
EXPOSE 4001 9641
# The daemon drains on SIGTERM: give it longer than drain.timeout (`docker stop -t`, `stop_grace_period`).
STOPSIGNAL SIGTERM
# Asks the daemon of this data directory for its state; no answer within the time is unhealthy.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 CMD ["relayd", "status", "--json"]
ENTRYPOINT ["relayd"]
CMD ["run"]
