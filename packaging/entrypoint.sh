#!/bin/sh
# What the image starts: the command that follows, told to stop when this is, and its exit code at the end.
#
# Except for 78 with ON_CONFIG_FAULT=wait. That code says that somebody has to mend the configuration first, which a
# container engine cannot tell from a crash: its restart policies know no exit codes, and it would go on for ever.
# So the container stays instead, doing nothing and unhealthy, until it is stopped.
set -u

child='' signalled='' stopping=''

# Always as SIGTERM: a shell's background commands ignore SIGINT from the start.
stop() {
  signalled=yes stopping=yes
  [ -z "$child" ] || kill -s TERM "$child" 2>/dev/null
}
trap stop TERM INT

# The exit code of $child. A signal interrupts `wait`; a child whose code is known already is 127 the next time.
await_child() {
  code=''
  while :; do
    signalled=''
    wait "$child"
    seen=$?
    if [ -z "$code" ] || [ "$seen" -ne 127 ]; then code=$seen; fi
    [ -n "$signalled" ] || break
  done
}

"$@" &
child=$!
[ -z "$stopping" ] || kill -s TERM "$child"
await_child

if [ "$code" -eq 78 ] && [ -z "$stopping" ] && [ "${ON_CONFIG_FAULT:-exit}" = wait ]; then
  echo 'Waiting to be stopped, since another start would end the same way: mend the configuration first.' >&2
  sleep 2147483647 &
  child=$!
  [ -z "$stopping" ] || kill -s TERM "$child"
  await_child
  exit 78
fi
exit "$code"
