#!/bin/sh
# Makes sure that the programs which the tests start are on this machine: PostgreSQL 12 or newer, PgBouncer, restic, and
# moto, which is S3-compatible storage in Python and gets a place of its own in target/moto.
# Installs them where it may (as root, or by sudo without a password), and says what to install where it may not.
set -eu

has() {
  for folder in $(echo "$PATH" | tr ':' ' ') /usr/sbin /usr/lib/postgresql/*/bin; do
    [ -x "$folder/$1" ] && return
  done
  return 1
}

missing=
for program in initdb postgres; do has $program || missing=" postgresql"; done
has pgbouncer || missing="$missing pgbouncer"
has restic || missing="$missing restic"
moto=${CARGO_TARGET_DIR:-$(dirname "$0")/../target}/moto
[ -x "$moto/bin/moto_server" ] || python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"

install_moto() {
  [ -x "$moto/bin/moto_server" ] && return
  echo "Installing for the tests: moto" >&2
  python3 -m venv "$moto"
  "$moto/bin/pip" install -q --disable-pip-version-check 'moto[server]>=5.2,<6'
}

[ -n "$missing" ] || { install_moto; exit 0; }

if [ "$(id -u)" = 0 ]; then as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo -n"
else as_root=nobody
fi

if command -v apt-get >/dev/null && [ "$as_root" != nobody ]; then
  echo "Installing for the tests:$missing" >&2
  $as_root apt-get update -q
  # shellcheck disable=SC2086 # both are lists of words
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
  install_moto
else
  echo "The tests start servers of their own, and these programs are missing:$missing" >&2
  echo "On Debian or Ubuntu: sudo apt-get install$missing" >&2
  exit 1
fi
