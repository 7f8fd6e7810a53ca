#!/usr/bin/env bash
# The main job of openwa-store from end to end. `make demo` builds the command and runs this.
set -euo pipefail
cd "$(dirname "$0")/.."

openwa=${OPENWA:-target/release/openwa}
[[ $openwa = /* ]] || openwa=$PWD/$openwa
# A fresh folder, so that the demo shows the same thing every time.
demo=$PWD/target/demo
rm -rf "$demo"
mkdir -p "$demo"
# The settings of a gateway on this machine are not meant here.
unset DATABASE_TYPE DATABASE_NAME MAIN_DATABASE_NAME API_KEY_PEPPER OPENWA_DIR
store=$demo/store

if [[ -t 1 ]]; then bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'; else bold='' dim='' off=''; fi

chapter() { printf '\n%s%s%s\n' "$bold" "$1" "$off"; }
now() { date +%s%N; }

# Runs `openwa`, on the demo's store unless another is named: shows the command, what it prints, and how long it took.
run() {
  local start status=0
  printf '%s$ openwa %s%s\n' "$dim" "${*//$demo/target/demo}" "$off"
  start=$(now)
  OPENWA_DIR=$store "$openwa" "$@" || status=$?
  printf '%s  (%d ms)%s\n\n' "$dim" $((($(now) - start) / 1000000)) "$off"
  return "$status"
}

# One value of a JSON document, without tools that a bare machine may lack.
value() { sed -n "s/.*\"$1\":\"\\([^\"]*\\)\".*/\\1/p"; }

chapter "1. Events of three engines are replayed: every line applied, deduplicated and durable"
logs=(tests/fixtures/baileys-medium.jsonl.gz tests/fixtures/baileys-small.jsonl
  tests/fixtures/wwebjs-small.jsonl tests/fixtures/neonize-small.jsonl)
run init
run replay "${logs[@]}"

chapter "2. The same log again: nothing is inserted, nothing changes"
run replay "${logs[0]}"

chapter "3. What is stored"
run sessions
run sessions show alpha

chapter "4. The chats of a session, and a page of the busiest one"
run chats alpha --limit 5
busiest=$("$openwa" --dir "$store" messages alpha --all --json | value chat_id | sort | uniq -c | sort -rn |
  sed -n '1s/^ *[0-9]* //p')
run messages alpha --chat "$busiest" --limit 10

chapter "5. An API key: created once, allowed what it may, denied the rest"
run keys create --name reader --permission messages:read --session alpha --allow-ip 10.0.0.0/8 | tee "$demo/key"
key=$(sed -n 's/^\(owa_k1_[0-9a-f]*\)$/\1/p' "$demo/key")
rm "$demo/key"
# The key is given on standard input, where no other user of the machine can see it.
run keys check - --permission messages:read --session alpha --ip 10.1.2.3 <<<"$key"
for ask in "--permission messages:send --session alpha --ip 10.1.2.3" \
  "--permission messages:read --session beta --ip 10.1.2.3" \
  "--permission messages:read --session alpha --ip 192.0.2.1"; do
  # Exit code 4 is the answer "denied"; anything else would be a fault.
  # shellcheck disable=SC2086
  run keys check - $ask <<<"$key" && exit 1 || [[ $? = 4 ]]
done
run keys list

chapter "6. Retention: what would go if today were the day after the log's end"
run retention status --now 2026-01-19

chapter "7. Export, import into a fresh store, and compare the two row by row"
run export "$demo/export.json.zst" --main
run --dir "$demo/copy" init
run --dir "$demo/copy" import "$demo/export.json.zst"
run db compare "$demo/copy"

chapter "8. An OpenWA installation moves in, and out and in again: the same rows"
gateway=(tests/fixtures/openwa/main.sqlite tests/fixtures/openwa/export-sqlite.json.gz)
run --dir "$demo/moved" takeover "${gateway[@]}" --plan
run --dir "$demo/moved" init
run --dir "$demo/moved" takeover "${gateway[@]}"
run --dir "$demo/moved" export --format openwa "$demo/back.json"
run --dir "$demo/again" init
run --dir "$demo/again" takeover tests/fixtures/openwa/main.sqlite "$demo/back.json" --json >"$demo/again.json"
run --dir "$demo/moved" db compare "$demo/again"

chapter "9. Is everything sound?"
run db check
run status

printf '%sDone.%s The store is in target/demo/store; try: %s --dir target/demo/store chats beta\n' \
  "$bold" "$off" "${openwa#"$PWD"/}"
