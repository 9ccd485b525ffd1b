#!/bin/sh
# Makes a folder with Oracle's MySQL server, for the tests, where the machine's own packages have MariaDB alone: the
# server of Debian's unstable suite and the libraries that it is built against, unpacked and not installed. It runs
# with its own loader, so the machine's libraries do not matter. No root, no container; from the mirror that the
# machine's package sources name, checked as all its packages are. Prints the path of the program.
#
#   lab/databases/fetch_mysql.sh [FOLDER]    default: ${XDG_CACHE_HOME:-~/.cache}/session-manager/mysql
set -eu

folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/session-manager/mysql}
program=$folder/mysqld
if [ -x "$program" ] && "$program" --version >/dev/null 2>&1; then
  echo "$program"
  exit 0
fi

fail() {
  echo "fetch_mysql: $1" >&2
  exit 69
}

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || fail "this machine has no apt"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || fail "no $keyring to check the packages with"

mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$work"

# A package manager's state of its own, in which nothing is installed: it then takes every library along.
state=$work/apt
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
: >"$state/status"
apt() {
  apt-get -qq -o "Dir::State=$state" -o "Dir::State::Lists=$state/lists" -o "Dir::State::status=$state/status" \
    -o "Dir::Cache=$state/cache" -o "Dir::Etc::SourceList=$state/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o "APT::Sandbox::User=$(id -un)" -o Debug::NoLocking=true -o Acquire::Languages=none \
    -o Acquire::Retries=3 "$@" >&2
}
# Others than Debian's may be among the sources, which have no such suite, or none that Debian has signed.
from() {
  echo "deb [signed-by=$keyring] $1 sid main" >"$state/sources.list"
  apt update -o APT::Update::Error-Mode=any
}
mirrors=$(apt-get update --print-uris | sed -n "s|^'\(.*\)/dists/.*|\1|p" | awk '!seen[$0]++')
found=
for mirror in $mirrors; do
  if from "$mirror"; then
    found=$mirror
    break
  fi
done
[ -n "$found" ] || fail "no mirror among this machine's package sources has the unstable suite"
apt install --yes --download-only --no-install-recommends mysql-server-core || fail "the packages cannot be had"

root=$work/root
mkdir "$root"
for package in "$state"/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
rm -rf "$state" "$root/usr/share/doc" "$root/usr/share/perl" "$root/usr/share/man"

# The folder is moved at the end, and may be again: the program finds the rest beside itself.
cat >"$work/mysqld" <<'PROGRAM'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/root
libraries=$(printf '%s:' "$root"/usr/lib/*-linux-gnu)$root/usr/lib/mysql/private
# The machine's own option files are another server's. This one is taken as the first argument or not at all.
[ "${1:-}" != --no-defaults ] || shift
set -- --no-defaults --basedir="$root/usr" --lc-messages-dir="$root/usr/share/mysql" \
  --character-sets-dir="$root/usr/share/mysql/charsets" --plugin-dir="$root/usr/lib/mysql/plugin" "$@"
for loader in "$root"/usr/lib*/ld-linux*.so.*; do
  exec "$loader" --library-path "$libraries" "$root/usr/sbin/mysqld" "$@"
done
PROGRAM
chmod 755 "$work/mysqld"
"$work/mysqld" --version >/dev/null || fail "the server does not run on this machine"
rm -rf "$folder"
mv "$work" "$folder"
trap - EXIT
echo "$program"
