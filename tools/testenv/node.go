package main

// node runs npm packages that we are compared and tested with.
var node = service{
	name:     "node",
	packages: []string{"nodejs", "npm"},
	commands: []string{"node", "npm"},
}
