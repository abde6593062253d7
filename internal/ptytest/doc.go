// Package ptytest makes pseudo-terminals for tests of programs that people sit
// at. Use [Open]; there is nothing in it but on Linux.
package ptytest
