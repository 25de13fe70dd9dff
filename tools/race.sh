#!/bin/sh
# Prints "-race" if the race detector can be used here, else nothing. What it does and misses goes to standard error.
#
# The detector needs cgo, and so a C compiler with its headers. On Debian, as root, a missing one is installed. Elsewhere
# tests run without -race, and say so, unless NVENT_REQUIRE (a list with commas) names race: then this script fails.
set -eu

say() { printf '%s\n' "$*" >&2; }

can_compile() {
	[ "$(go env CGO_ENABLED)" = 1 ] && printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' |
		sh -c "$(go env CC) -xc - -o /dev/null" >/dev/null 2>&1
}

if ! can_compile && [ -f /etc/debian_version ] && [ "$(id -u)" = 0 ]; then
	say 'race: no C compiler; installing gcc and libc6-dev'
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get update -qq && apt-get install -qq -y --no-install-recommends gcc libc6-dev; } >&2 ||
		say 'race: the installation failed'
fi

if can_compile; then
	echo -race
	exit 0
fi

case ",${NVENT_REQUIRE:-}," in
*,race,*)
	say 'race: NVENT_REQUIRE names race, but there is no C compiler, or CGO_ENABLED=0.'
	say '      Install one (Debian: apt-get install gcc libc6-dev).'
	exit 1
	;;
esac
say '=========================================================================================='
say '  NO RACE DETECTION: it needs cgo and a C compiler (Debian: apt-get install gcc libc6-dev).'
say '  The tests run without it. NVENT_REQUIRE=race makes this an error.'
say '=========================================================================================='
