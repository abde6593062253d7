// Package audit writes down who did what: one [Record] for each transition of
// a login and each change of a credential.
//
// Give the parts that record a [Writer] with a text sink (the daemon's
// standard error), a JSON sink (the audit log, a [File]), or both, and call
// [Writer.Record]. A nil Writer discards.
//
// The text lines are breadcrumbs for people: one line without a time, which
// the journal adds, in the format of `qwen serve`. The JSON lines are for
// machines: they carry the time and everything that was recorded, also what
// has no text line (a provider that asks to slow down). Records are written at
// least once: a transition that is settled again after a crash may appear
// twice.
//
// A record has no place for a secret, and foreign text in it is made printable
// before it is written.
package audit
