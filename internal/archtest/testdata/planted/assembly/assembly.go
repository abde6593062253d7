// Package assembly enters the kernel in assembly.
package assembly

func enter()

// Enter does.
func Enter() { enter() }
