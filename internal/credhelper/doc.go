// Package credhelper speaks the protocols in which other tools ask a program
// for credentials: git's (gitcredentials(7)), that of docker and its relatives,
// and the ExecCredential of kubectl. It is pure: it reads a question, says which
// server it is about, and prints an answer. Who may get which token is for the
// caller to decide, with [Hosts].
//
// All three carry text of strangers, such as the address of a repository that
// somebody made up. What is not plainly well formed is refused, in both
// directions: an answer with a line that nobody asked for would send a token to
// another server.
package credhelper
