// Package credential holds what usher keeps: credentials, the logins that
// produce them, and the contract of the stores that hold both.
//
// Start with [Key], the name of a credential, and [Store], whose comments are
// the guarantees every store gives and package credentialtest proves. A
// [Credential] carries its [Binding]: the facts it was made with, which alone
// decide where its secrets may ever be sent.
//
// The package does no I/O and no OAuth; stores live below it in filestore and
// memstore, refreshing lives in package token, logging in in package login.
package credential
