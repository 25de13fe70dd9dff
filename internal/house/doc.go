// Package house has no code, only tests: of the rules that hold for the repository as a whole. CONTRIBUTING.md states them.
package house
