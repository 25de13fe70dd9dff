// Command bench compares nvent with its peers on the same work.
package main

func main() {}
