#!/usr/bin/env bash
# Installs the system packages that are absent, where it can; else says in one sentence which they are.
# usage: deploy/packages.sh NEED...   NEED: venv java maven postgresql make chromium faketime node
set -euo pipefail

has_venv() { "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null; }
has_java() {
  local major
  major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
  [ -n "$major" ] && [ "$major" -ge 17 ]
}
has_maven() { command -v mvn >/dev/null; }
has_node() { command -v node >/dev/null && command -v npm >/dev/null; }
has_make() { command -v make >/dev/null; }
has_chromium() { command -v chromium >/dev/null || command -v chromium-browser >/dev/null; }
has_faketime() { compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null; }
has_postgresql() { command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

declare -A package=(
  [venv]=python3-venv [java]=default-jre-headless [maven]=maven [postgresql]=postgresql [make]=make
  [chromium]=chromium [faketime]=faketime [node]="nodejs npm"
)

missing=()
for need in "$@"; do
  "has_$need" 2>/dev/null || missing+=(${package[$need]})
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "Installing ${missing[*]} ..." >&2
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >&2 </dev/null ||
    { echo "apt-get could not install ${missing[*]}; install them by hand and try again." >&2; exit 3; }
else
  echo "Missing system packages: ${missing[*]}. Install them (apt-get install ${missing[*]}) and try again." >&2
  exit 3
fi
