#!/bin/sh
# Runs every Fuzz function of every module for FUZZTIME (default 30s) each. It stops at the first failure; the input that
# failed is then in testdata/fuzz beside the test, to be committed with the fix.
set -eu
cd "$(dirname "$0")/.."

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
time=${FUZZTIME:-30s}

# fuzz PACKAGE NAME: runs one target. Now and then go test reports the end of the time itself as a failure, "context
# deadline exceeded" without a failing input (seen with Go 1.26.8, about once in 20 runs of 2s); then it gets another try.
fuzz() {
	for try in 1 2 3; do
		{ go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 10x "$1" 2>&1 && touch "$tmp/ok"; } | tee "$tmp/log"
		if [ -e "$tmp/ok" ]; then
			rm "$tmp/ok"
			return 0
		fi
		grep -q '^ *context deadline exceeded$' "$tmp/log" && ! grep -q 'Failing input' "$tmp/log" || return 1
		printf '== no failing input, the time was up: try %d was none\n' "$try"
	done
	return 1
}

total=0
for dir in $(go list -m -f '{{.Dir}}'); do
	# Every test file with its package: the functions are found in the source, since go test -list would build it all.
	files=$(cd "$dir" && go list -f '{{range .TestGoFiles}}{{$.ImportPath}}={{$.Dir}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$.ImportPath}}={{$.Dir}}/{{.}}
{{end}}' ./...)
	for entry in $files; do
		for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "${entry#*=}"); do
			printf '== %s %s\n' "${entry%%=*}" "$name"
			fuzz "${entry%%=*}" "$name"
			total=$((total + 1))
		done
	done
done
printf '%d fuzz targets ran %s each\n' "$total" "$time"
