#!/usr/bin/env bash
# Goes through the Dockerfile without a container engine: a Debian 12 made by debootstrap, the RUN lines of the
# Dockerfile in it as they are written, and then the CMD as the USER, without capabilities, on a file system that
# is read-only but for /data, in a network that has nothing but this machine's loopback. The service has to become
# healthy, give a QR from the test gateway, pass the doctor, and stop with 0 on STOPSIGNAL; with a configuration that
# has to be mended it has to end with 78, or stay where it is told to.
#
# What it cannot show: the two base images themselves. `deno` is the one on this machine's PATH instead.
#
# Needs root, debootstrap, util-linux, iproute2, curl, and Deno of the pinned version.
#   packaging/exercise_image.sh [an empty or earlier folder, /tmp/exercise-image by default]
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
work=${1:-/tmp/exercise-image}
root=$work/root
key=exercise-key-of-16-characters

step() { printf '\n== %s\n' "$*"; }

# Every instruction of the Dockerfile on a line of its own, without comments and continuations.
instructions() {
  sed -e '/^[[:space:]]*#/d' "$repo/Dockerfile" | sed -e ':a' -e '/\\$/{N;s/\\\n[[:space:]]*/ /;ba' -e '}' | grep -v '^$'
}

# NAME=value of the ENV lines.
image_env() { instructions | sed -n 's/^ENV //p' | tr ' ' '\n'; }

# The command of a line in JSON form, as words for the shell.
json_command() { sed -e 's/^\[//' -e 's/\]$//' -e "s/\"\([^\"]*\)\",\{0,1\}/'\1'/g" <<<"$1"; }

in_image() { env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin $(image_env) chroot "$root" "$@"; }

build() {
  if [ ! -x "$root/bin/bash" ]; then
    step "Debian 12, minimal"
    mkdir -p "$root"
    debootstrap --variant=minbase bookworm "$root" >"$work/debootstrap.log"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    mkdir -p "$root/etc/ssl/certs"
    # Where this machine reaches the registry through a proxy with an authority of its own, so does the build.
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  fi
  install -m 0755 "$(readlink -f "$(command -v deno)")" "$root/usr/local/bin/deno"
  local pinned
  pinned=$(sed -n 's/^FROM denoland\/deno:bin-\([0-9.]*\).*/\1/p' "$repo/Dockerfile")
  [ "$("$root/usr/local/bin/deno" --version | sed -n '1s/^deno \([^ ]*\).*/\1/p')" = "$pinned" ]

  step "The context that .dockerignore lets through"
  rm -rf "$root/app" "$root/deno-dir" "$root/data"
  mkdir -p "$root/app"
  (cd "$repo" && sed -n 's/^!//p' .dockerignore | while read -r pattern; do
    # shellcheck disable=SC2086 # a pattern is to be expanded
    cp -r --parents $pattern "$root/app/"
  done)
  sed -n '/^[^#!*]/p' "$repo/.dockerignore" | while read -r path; do rm -rf "${root:?}/app/$path"; done
  (cd "$root/app" && find . -type f | wc -l | xargs printf '%s files\n')

  instructions | sed -n 's/^RUN //p' | while read -r command; do
    step "RUN $command"
    in_image sh -c "cd /app && DENO_TLS_CA_STORE=system,mozilla && export DENO_TLS_CA_STORE && $command" </dev/null
  done
  du -sh "$root/app" "$root/deno-dir" "$root/usr/local/bin/deno"
}

# From here on in namespaces of our own: mounts, and a network with loopback alone.
run() {
  ip link set lo up
  mount --make-rprivate /
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --bind "$root/data" "$root/data"
  mount -o remount,bind,ro "$root"
  local user
  user=$(instructions | sed -n 's/^USER //p')

  deno run --quiet --cached-only --allow-net=127.0.0.1 --allow-env --allow-sys --allow-read \
    "$repo/lab/simulator/main.ts" --port 9001 >"$work/gateway.log" &
  gateway=$!
  until grep -q 'root key' "$work/gateway.log"; do sleep 0.1; done

  as_user() {
    in_image setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --no-new-privs \
      --bounding-set=-all --inh-caps=-all env \
      HUB_API_KEY="$key-hub" INTERNAL_API_KEY="$key-internal" \
      WHATSAPP_WS_URL=ws://127.0.0.1:9001/ws/chat \
      WHATSAPP_ROOT_KEY="$(sed -n 's/^root key *//p' "$work/gateway.log")" sh -c "cd /app && exec $1"
  }

  step "Nothing but /data can be written, and nobody is reached outside"
  as_user 'sh -c "id -u; ! touch /app/x && ! touch /deno-dir/x && ! touch /tmp/x && touch /data/x && rm /data/x"' 2>&1
  if timeout 3 bash -c 'exec 3<>/dev/tcp/192.0.2.1/443' 2>/dev/null; then exit 1; fi

  local entrypoint command health code
  entrypoint=$(json_command "$(instructions | sed -n 's/^ENTRYPOINT //p')")
  command=$(json_command "$(instructions | sed -n 's/^CMD //p')")

  step "A configuration that has to be mended"
  code=0
  as_user "env PORT=none $entrypoint $command" || code=$?
  [ "$code" = 78 ]
  as_user "env PORT=none ON_CONFIG_FAULT=wait $entrypoint $command" 2>"$work/waiting.log" &
  local waiting=$!
  until grep -q '^Waiting' "$work/waiting.log"; do sleep 0.1; done
  cat "$work/waiting.log"
  kill -s TERM "$(pgrep -f '^/bin/sh /app/packaging/entrypoint.sh')"
  code=0
  wait "$waiting" || code=$?
  [ "$code" = 78 ]

  step "ENTRYPOINT and CMD"
  as_user "$entrypoint $command" >"$work/service.log" 2>&1 &
  local service=$!
  health=$(json_command "$(instructions | sed -n 's/^HEALTHCHECK.*CMD //p')")
  for _ in $(seq 100); do as_user "$health" 2>/dev/null && break || sleep 0.2; done
  as_user "$health"
  echo "HEALTHCHECK: 0"

  step "POST …/qr"
  curl --silent --fail --request POST --header "Authorization: Bearer $key-hub" \
    http://127.0.0.1:8080/api/session-manager/sessions/sender_51/qr | tee "$work/qr.json" | cut -c1-90
  grep -q '"qr_string":"data:image/png;base64,iVBORw0KGgo' "$work/qr.json"

  step "The doctor, beside the service"
  as_user "deno run --quiet --frozen --cached-only -P=launcher \
    --allow-run=/usr/local/bin/deno tools/doctor.ts"

  step "STOPSIGNAL"
  # As an engine would signal the container's first process.
  kill -s "$(instructions | sed -n 's/^STOPSIGNAL //p')" "$(pgrep -f '^/bin/sh /app/packaging/entrypoint.sh')"
  code=0
  wait "$service" || code=$?
  cat "$work/service.log"
  echo "exit code $code"
  ls -l "$root/data"
  kill "$gateway"
  [ "$code" = 0 ]
  echo
  echo "The image's steps hold."
}

case ${EXERCISE_STAGE:-build} in
  build)
    mkdir -p "$work"
    build
    EXERCISE_STAGE=run exec unshare --mount --net --pid --fork --kill-child --mount-proc "$0" "$work"
    ;;
  run) run ;;
esac
