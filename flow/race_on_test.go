//go:build race

package flow_test

// raceEnabled: the race detector makes the search ten times slower, and has nothing to find in it.
const raceEnabled = true
