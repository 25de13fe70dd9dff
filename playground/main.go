// Command playground is the demo of nvent: flows that run on real input.
package main

func main() {}
