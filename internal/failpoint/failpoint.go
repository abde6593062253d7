// Package failpoint lets a test kill the program at a named place, as a power
// cut would. Write [Hit] where a crash is worth testing.
//
// Without the build tag failpoint a Hit is nothing, and the compiler removes
// it. With the tag, USHER_FAILPOINT=name or name:n kills the process with
// SIGKILL at the n-th Hit of that name; n counts from 1, which is the default.
package failpoint
