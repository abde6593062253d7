// Command empty does nothing: what a program costs before it does anything.
package main

func main() {}
