//go:build race

package file_test

// slow is by how much the race detector makes the short leases of tests longer.
const slow = 3
