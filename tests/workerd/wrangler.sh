#!/usr/bin/env bash
# `npx wrangler dev` for the Worker in DIR, without a network: with the tools that scripts/setup has
# installed. Prints the address; ends with its caller, together with workerd.
#
#   tests/workerd/wrangler.sh DIR PORT
set -euo pipefail
(($# == 2)) || { sed -n '/^#   tests/s/^# *//p' "$0" >&2 && exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
npm=$root/tests/workerd/node_modules
cd "$1"
export WORKER_BUILD="$root/scripts/build-worker . build"
export WRANGLER_SEND_METRICS=false WRANGLER_LOG_PATH=.wrangler/logs
WORKERD=$(node -p "require('$npm/workerd').default")
export WORKERD MINIFLARE_WORKERD_PATH=$root/tests/workerd/workerd.sh
# Not its launcher, which would leave it running when killed.
exec node "$npm/wrangler/wrangler-dist/cli.js" dev --ip 127.0.0.1 --port "$2" --inspector-port 0
