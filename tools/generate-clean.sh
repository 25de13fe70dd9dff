#!/bin/sh
# Fails if go generate would change a file, and shows how. It works on a copy: the tree stays as it is.
set -eu
cd "$(dirname "$0")/.."

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/before" "$tmp/after"
tar --exclude=./.git --exclude=./bin -cf - . | tar -xf - -C "$tmp/before"
cp -R "$tmp/before/." "$tmp/after"

(
	cd "$tmp/after"
	for dir in $(go list -m -f '{{.Dir}}'); do
		(cd "$dir" && go generate ./...)
	done
)
if ! (cd "$tmp" && diff -ruN before after); then
	echo 'generate: generated files are not what go generate makes: run make generate' >&2
	exit 1
fi
