// Package api holds what usher says over its wires: the JSON of the native
// surface (/v1) and of the command line, the JSON of the surface compatible
// with `qwen serve`, and the error codes with their one mapping to HTTP
// statuses and exit codes.
//
// The server, the Go client and the command line share these types, so that a
// command prints the same with and without a daemon. Fields are only ever
// added. Native JSON is snake_case with RFC 3339 times in UTC and durations in
// seconds; the words of the compatible surface (deviceFlowId, providerId,
// persist_failed) live in compat.go and nowhere else.
//
// No type here holds a secret but [Token], which is what was asked for, and
// the codes and links of a pending [Login], which its initiator must show.
package api
