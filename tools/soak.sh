#!/bin/sh
# Repeats all tests, shuffled anew each time, for SOAK_MINUTES (default 10). It stops at the first failure, with the seed
# of the order in what go test prints.
set -eu
cd "$(dirname "$0")/.."

race=$(sh tools/race.sh)
end=$(($(date +%s) + ${SOAK_MINUTES:-10} * 60))
round=0
while [ "$(date +%s)" -lt "$end" ]; do
	round=$((round + 1))
	printf '== soak, round %d\n' "$round"
	go run ./tools/testenv -- go run ./tools/testrun $race -shuffle=on
done
printf '%d rounds without a failure\n' "$round"
