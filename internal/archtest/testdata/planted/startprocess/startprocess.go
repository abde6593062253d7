// Package startprocess takes os.StartProcess as a value.
package startprocess

import "os"

// Start starts a program.
var Start = os.StartProcess
