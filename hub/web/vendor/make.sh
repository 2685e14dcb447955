#!/bin/sh
# Makes static/nhsuk.css and static/htmx.js anew from npm's packages, as package-lock.json has them. For a developer's
# machine (node 20, npm): what it makes is committed, so that no hub and no test needs either.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/package.json" "$here/package-lock.json" "$work"
(cd "$work" && npm ci --silent --no-audit --no-fund --ignore-scripts)
"$work/node_modules/.bin/sass" --style=compressed --no-source-map --no-charset --quiet-deps \
  --load-path="$work/node_modules/nhsuk-frontend/dist" "$here/nhsuk.scss" "$work/nhsuk.css"
cp "$work/nhsuk.css" "$here/../static/nhsuk.css"
cp "$work/node_modules/htmx.org/dist/htmx.min.js" "$here/../static/htmx.js"
wc -c "$here/../static/nhsuk.css" "$here/../static/htmx.js"
