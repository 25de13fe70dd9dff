//go:build race

package nvent_test

// raceDetector makes everything about ten times as slow, so that tests of scale do a tenth.
const raceDetector = true
