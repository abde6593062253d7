// Package toolconf writes into the configuration files of other tools, and
// takes out again what it wrote. Use [Setup] and [Undo]; [Records] tells what is
// there.
//
// The files belong to a person, so everything else in them survives: comments,
// order, indentation, line endings, a byte order mark, a missing line break at
// the end, permissions, owner, and the link that the file may be reached by. An
// edit replaces one stretch of text, which is mostly empty, by another one. A
// file in which the place for that cannot be told for sure is refused with an
// [Error] and left alone.
//
// # Taking back
//
// A journal, one file per tool and file in the folder setup of the data folder,
// is written before the file is. It holds the edits and the hashes of the file
// before and after them, and nothing else of the file: that may hold secrets. A
// file that still has the second hash becomes what it was, byte for byte. One
// that the person has edited since, or another program has written anew, loses
// our part and keeps theirs. One in which our own part was changed is refused.
//
// Setting a tool up again takes back what is there and writes all of it anew, so
// that doing it twice is doing it once.
package toolconf
