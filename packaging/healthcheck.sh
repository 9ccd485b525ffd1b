#!/bin/bash
# Whether the service answers, with nothing but the shell: no curl, and no second runtime every few seconds.
set -u
host=${HOST:-127.0.0.1}
case $host in
  0.0.0.0 | ::) host=127.0.0.1 ;;
esac
exec 3<>"/dev/tcp/$host/${PORT:-8080}" || exit 1
printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 4 _ status _ <&3 && [ "$status" = 200 ]
