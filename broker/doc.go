// Package broker is usher's domain, assembled: logins, tokens, credentials and
// providers behind one value that speaks in api types. The daemon serves it,
// and the command line without a daemon uses it in process, so both give the
// same answers and the same errors.
//
// Start with [New]. Every method is safe for concurrent use, and every error
// it returns is an *[api.Error]; the mapping is in errors.go, the views of
// domain values in views.go and, for the surface compatible with `qwen serve`,
// in compat.go.
package broker
