#!/usr/bin/env bash
# Builds the Dockerfile without a container engine and runs what comes out: buildah interprets it, over a Debian 12 made
# by debootstrap and a `deno` from this machine's PATH in place of the two base images. Then ENTRYPOINT and CMD run as
# the USER, without capabilities, on a file system that is read-only but for /data, in a network that has nothing but
# this machine's loopback. The service has to become healthy, give a QR from the simulator, pass the doctor, and stop
# with 0 on STOPSIGNAL; with a configuration that has to be mended it has to end with 78, or stay where it is told to.
#
# What it cannot show: the two base images themselves.
#
# Needs root, buildah, debootstrap, util-linux, iproute2, curl, and Deno of the pinned version.
#   packaging/exercise_image.sh [an empty or earlier folder, /tmp/exercise-image by default]
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
work=${1:-/tmp/exercise-image}
image=localhost/session-manager:exercise
key=exercise-key-of-16-characters
# Commands run in a chroot, for which this machine needs no namespace of its own.
export BUILDAH_ISOLATION=chroot

step() { printf '\n== %s\n' "$*"; }

# With a store of its own, so that nothing stays behind but the folder.
store() { buildah --root "$work/store" --runroot "$work/run" "$@"; }

# A part of the image's configuration: a template of Go.
setting() { store inspect --type image --format "$1" "$image"; }

# The same, a list, as words for the shell.
words() { setting "{{range $1}}{{printf \"'%s' \" .}}{{end}}"; }

build() {
  if [ ! -e "$work/debian.done" ]; then
    step "Debian 12, minimal"
    rm -rf "$work/debian"
    debootstrap --variant=minbase bookworm "$work/debian" >"$work/debootstrap.log"
    # Where this machine reaches the registry through a proxy with an authority of its own, so does the build.
    install -D -m 0644 /etc/ssl/certs/ca-certificates.crt "$work/debian/etc/ssl/certs/ca-certificates.crt"
    touch "$work/debian.done"
  fi
  step "What stands in for the base images"
  store rm --all >"$work/build.log"
  local debian deno container
  debian=$(sed -n 's/^FROM \(debian:[^ ]*\).*/\1/p' "$repo/Dockerfile")
  deno=$(sed -n 's/^FROM \(denoland\/deno:bin-[^ ]*\).*/\1/p' "$repo/Dockerfile")
  [ "$(deno --version | sed -n '1s/^deno \([^ ]*\).*/\1/p')" = "${deno##*:bin-}" ]
  container=$(store from scratch)
  store add --quiet "$container" "$work/debian" / >>"$work/build.log"
  store config --env DENO_TLS_CA_STORE=system,mozilla "$container"
  store commit --quiet --rm "$container" "docker.io/library/$debian"
  container=$(store from scratch)
  # The program itself: npm's `deno` is a script in front of it.
  store copy --quiet "$container" "$(deno eval 'console.log(Deno.execPath())')" /deno >>"$work/build.log"
  store commit --quiet --rm "$container" "docker.io/$deno"

  step "The Dockerfile"
  # Docker's format, since the other one knows no HEALTHCHECK.
  store build --pull-never --format docker --layers=false --tag "$image" "$repo"
}

# From here on in namespaces of our own: mounts, and a network with loopback alone.
run() {
  local container root folder user entrypoint command health signal code
  container=$(store from --pull-never "$image")
  root=$(store mount "$container")
  folder=$(setting '{{.Docker.Config.WorkingDir}}')
  user=$(setting '{{.Docker.Config.User}}')
  signal=$(setting '{{.Docker.Config.StopSignal}}')
  eval "local environment=($(words .Docker.Config.Env))"
  entrypoint=$(words .Docker.Config.Entrypoint)
  command=$(words .Docker.Config.Cmd)
  # Its first word says that a program follows, and not a line for a shell.
  health=$(words .Docker.Config.Healthcheck.Test | sed "s/^'CMD' //")

  ip link set lo up
  mount --make-rprivate /
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --bind /dev "$root/dev"
  mount --bind "$root/data" "$root/data"
  mount -o remount,bind,ro "$root"

  deno run --quiet --cached-only --allow-net=127.0.0.1 --allow-env --allow-sys --allow-read \
    "$repo/lab/simulator/main.ts" --port 9001 >"$work/gateway.log" &
  gateway=$!
  until grep -q 'root key' "$work/gateway.log"; do sleep 0.1; done

  as_user() {
    env -i "${environment[@]}" chroot "$root" setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups \
      --no-new-privs --bounding-set=-all --inh-caps=-all env \
      HUB_API_KEY="$key-hub" INTERNAL_API_KEY="$key-internal" \
      WHATSAPP_WS_URL=ws://127.0.0.1:9001/ws/chat \
      WHATSAPP_ROOT_KEY="$(sed -n 's/^root key *//p' "$work/gateway.log")" sh -c "cd $folder && exec $1"
  }

  step "Nothing but /data can be written, and nobody is reached outside"
  as_user 'sh -c "id -u; ! touch /app/x && ! touch /deno-dir/x && ! touch /tmp/x && touch /data/x && rm /data/x"' 2>&1
  if timeout 3 bash -c 'exec 3<>/dev/tcp/192.0.2.1/443' 2>/dev/null; then exit 1; fi

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
  for _ in $(seq 100); do as_user "$health" 2>/dev/null && break || sleep 0.2; done
  as_user "$health"
  echo "HEALTHCHECK: 0"

  step "POST …/qr"
  curl --silent --fail --request POST --header "Authorization: Bearer $key-hub" \
    http://127.0.0.1:8080/api/session-manager/sessions/sender_51/qr | tee "$work/qr.json" | cut -c1-90
  grep -q '"qr_string":"data:image/png;base64,iVBORw0KGgo' "$work/qr.json"

  step "The doctor, beside the service"
  as_user "${command/start.ts/doctor.ts}"

  step "STOPSIGNAL"
  # As an engine would signal the container's first process.
  kill -s "$signal" "$(pgrep -f '^/bin/sh /app/packaging/entrypoint.sh')"
  code=0
  wait "$service" || code=$?
  cat "$work/service.log"
  echo "exit code $code"
  ls -l "$root/data"
  kill "$gateway"
  [ "$code" = 0 ]
  echo
  echo "The image holds."
}

case ${EXERCISE_STAGE:-build} in
  build)
    mkdir -p "$work"
    build
    EXERCISE_STAGE=run exec unshare --mount --net --pid --fork --kill-child --mount-proc "$0" "$work"
    ;;
  run) run ;;
esac
