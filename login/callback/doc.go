// Package callback is where a browser comes back to after a login of method
// code: an HTTP server on loopback (RFC 8252 section 7.3) that lives as long as
// one login and takes one answer. Start with [Listen], before the link of the
// login is shown; show the link; then [Listener.Serve].
//
// It judges nothing about an answer but its form. Whether state and issuer are
// those of the login, and what became of the code, the function that Serve is
// given knows; the page then tells the person the truth about it. Whatever is
// no answer, or none of this login, is answered and ignored: it neither ends the
// login nor keeps the right one from coming.
//
// The server runs beside everything else on the machine, and web pages can make
// a browser send requests to it. So it answers the names of loopback alone (a
// foreign name that leads here would be DNS rebinding), one path, GET and
// navigations; it repeats nothing that it was sent; and it bounds connections,
// sizes and times.
package callback
