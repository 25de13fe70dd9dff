#!/bin/sh
# Tidies every go.mod of the workspace, and the module files that pin tools. With --check it changes nothing, prints what
# it would change, and fails if there is anything.
#
# go mod tidy ignores go.work and looks for sibling modules where released ones are. So each module is tidied under a
# copy of its go.mod that replaces its siblings by their directories; the replacements are dropped before it is kept.
set -eu
cd "$(dirname "$0")/.."

check=
[ "${1:-}" = --check ] && check=yes

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
modules=$(go list -m -f '{{.Path}}={{.Dir}}')
export GOWORK=off

# keep FILE NEW: makes FILE what NEW is; an empty sum file is no file.
changed=
keep() {
	[ -s "$2" ] || rm -f "$2"
	if [ -f "$2" ] && [ -f "$1" ] && cmp -s "$1" "$2"; then return; fi
	if [ ! -f "$2" ] && [ ! -f "$1" ]; then return; fi
	if [ "$check" ]; then
		changed=yes
		[ -f "$1" ] && old=$1 || old=/dev/null
		[ -f "$2" ] && new=$2 || new=/dev/null
		diff -u -L "${1#"$PWD"/}" -L "${1#"$PWD"/} (tidied)" "$old" "$new" || :
	elif [ -f "$2" ]; then
		cp "$2" "$1"
	else
		rm "$1"
	fi
}

# tidy FILE: tidies one module file, go.mod or another one beside it.
tidy() {
	rm -f "$tmp"/new.*
	cp "$1" "$tmp/new.mod"
	[ ! -f "${1%.mod}.sum" ] || cp "${1%.mod}.sum" "$tmp/new.sum"
	self=$(go mod edit -json "$1" | sed -n '/"Module"/,/}/s/.*"Path": "\(.*\)".*/\1/p')
	for m in $modules; do
		sibling=${m%%=*}
		[ "$sibling" != "$self" ] || continue
		[ "${1##*/}" = go.mod ] || continue # pinned tools know nothing of us
		grep -q "$sibling v" "$1" || go mod edit -require="$sibling@v0.0.0" "$tmp/new.mod"
		go mod edit -replace="$m" "$tmp/new.mod"
	done
	(cd "$(dirname "$1")" && go mod tidy -modfile="$tmp/new.mod")
	for m in $modules; do
		go mod edit -dropreplace="${m%%=*}" "$tmp/new.mod"
	done
	keep "$1" "$tmp/new.mod"
	keep "${1%.mod}.sum" "$tmp/new.sum"
}

for m in $modules; do
	for file in "${m#*=}"/*.mod; do
		tidy "$file"
	done
done

if [ "$changed" ]; then
	echo 'tidy: module files are not tidy: run make tidy' >&2
	exit 1
fi
