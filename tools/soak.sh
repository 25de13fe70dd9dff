#!/bin/sh
# Repeats all tests, shuffled anew each time, for SOAK_MINUTES (default 10). It stops at the first failure, with the seed
# of the order in what go test prints.
set -eu
cd "$(dirname "$0")/.."

# The file adapter: processes to kill, and finished jobs to have in the file.
export NVENT_FILE_KILLS="${NVENT_FILE_KILLS:-1000}" NVENT_FILE_HISTORY="${NVENT_FILE_HISTORY:-1000000}"

race=$(sh tools/race.sh)
end=$(($(date +%s) + ${SOAK_MINUTES:-10} * 60))
round=0
while [ "$(date +%s)" -lt "$end" ]; do
	round=$((round + 1))
	printf '== soak, round %d\n' "$round"
	go run ./tools/testenv -- go run ./tools/testrun $race -shuffle=on
done
printf '%d rounds without a failure\n' "$round"
