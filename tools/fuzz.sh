#!/bin/sh
# Runs every Fuzz function of every module for FUZZTIME (default 30s) each. It stops at the first failure; the input that
# failed is then in testdata/fuzz beside the test, to be committed with the fix.
set -eu
cd "$(dirname "$0")/.."

total=0
for dir in $(go list -m -f '{{.Dir}}'); do
	# Package and file of every test file, then the functions in it: go test -list would have to build each package.
	files=$(cd "$dir" && go list -f '{{range .TestGoFiles}}{{$.ImportPath}}={{$.Dir}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$.ImportPath}}={{$.Dir}}/{{.}}
{{end}}' ./...)
	for entry in $files; do
		for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "${entry#*=}"); do
			printf '== %s %s\n' "${entry%%=*}" "$name"
			(cd "$dir" && go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-30s}" "${entry%%=*}")
			total=$((total + 1))
		done
	done
done
printf '%d fuzz targets ran %s each\n' "$total" "${FUZZTIME:-30s}"
