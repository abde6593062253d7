package toolconf

import (
	"io/fs"
	"reflect"
	"slices"
)

// Target is a file of a tool.
type Target struct {
	// Tool is git, docker, kubectl or qwen.
	Tool string
	// Path is the absolute path of the file. A link is followed, and stays one.
	Path string
	// Perm are the permissions of a file that is made.
	Perm fs.FileMode
}

// Change is what was done to a file, or would be.
type Change struct {
	Path string
	// Edits are those that were made to Before, one after the other; none if the
	// file says all that already.
	Edits []Edit
	// Before is the text that the edits are made to.
	Before string
	// Created and Removed tell that the file, or link, is new or gone.
	Created, Removed bool
	// Target is what a link at Path leads to.
	Target string
}

// Nothing reports whether there was nothing to do.
func (c Change) Nothing() bool { return len(c.Edits) == 0 && !c.Created && !c.Removed }

// Setup has the tool's file say items; those of the same name that are there
// from before are replaced, others stay. With dry it only says what it would do.
// An *[Error] is about the file; nothing was changed then. What was there before
// is in the journal of the data folder home before the file is written, so
// [Undo] works after a crash as well.
func Setup(home string, t Target, items []Item, dry bool) (Change, error) {
	f, err := formatOf(t.Tool)
	if err != nil {
		return Change{}, err
	}
	if dry {
		p, err := journalOf(home).plan(f, t, items)
		return p.change, err
	}
	j, closeIt, err := openJournal(home)
	if err != nil {
		return Change{}, err
	}
	defer closeIt()
	p, err := j.plan(f, t, items)
	known := p.earlier != nil && reflect.DeepEqual(*p.earlier, p.record)
	if err != nil || p.change.Nothing() && (known || len(p.record.Items) == 0) {
		return p.change, err
	}
	return p.change, j.carryOut(p, t.Perm)
}

// plan is a change that is worked out: how a file and its record will be.
type plan struct {
	file    textFile
	text    string
	record  Record
	earlier *Record // as the journal has it now
	change  Change
}

// plan works out what to do to have the file say items.
func (j journal) plan(f format, t Target, items []Item) (p plan, err error) {
	if p.file, err = readFile(t.Path); err != nil {
		return p, err
	}
	if p.earlier, err = j.find(t.Tool, t.Path); err != nil {
		return p, err
	}
	p.record = Record{Tool: t.Tool, Path: t.Path, Created: !p.file.exists, Folders: missingFolders(t.Path)}
	base := p.file.text
	var back []Edit
	if p.earlier != nil {
		valid, edits, err := p.earlier.takeBack(f, p.file)
		if err != nil {
			return p, in(t.Path, err)
		}
		base, back = applyAll(base, edits), edits
		items = merge(still(f, p.file.text, valid.Items), items)
		if p.file.exists {
			p.record.Created = valid.Created && base == ""
		}
		p.record.Folders = append(slices.Clone(p.record.Folders), valid.Folders...)
		slices.Sort(p.record.Folders)
		p.record.Folders = slices.Compact(p.record.Folders)
	}
	edits, err := f.insert(base, items)
	if err != nil {
		return p, in(t.Path, err)
	}
	p.text = applyAll(base, edits)
	if err := verify(f, p.text, items); err != nil {
		return p, in(t.Path, err)
	}
	p.record.Items, p.record.Edits = written(items, edits), edits
	p.record.Before, p.record.After = hash(base), hash(p.text)
	p.change = Change{Path: t.Path, Before: p.file.text, Created: !p.file.exists}
	if p.text != p.file.text {
		p.change.Edits = join(back, edits)
	}
	return p, nil
}

// join is back and then edits, without what is taken out to be put back the same.
func join(back, edits []Edit) []Edit {
	for len(back) > 0 && len(edits) > 0 && edits[0] == back[len(back)-1].inverse(edits[0].At) && edits[0].At == back[len(back)-1].At {
		back, edits = back[:len(back)-1], edits[1:]
	}
	return slices.Concat(back, edits)
}

// still are those of items that text says: what the person took out stays out.
func still(f format, text string, items []Item) []Item {
	return slices.DeleteFunc(slices.Clone(items), func(i Item) bool {
		s, _, err := f.find(text, i)
		return err != nil || s == absent
	})
}

// merge is items and those of before that have another name.
func merge(before, items []Item) []Item {
	var all []Item
	for _, b := range before {
		if !slices.ContainsFunc(items, func(i Item) bool { return i.Name == b.Name }) {
			all = append(all, b)
		}
	}
	return append(all, items...)
}

// written are those of items that edits are about: the file said the others
// before.
func written(items []Item, edits []Edit) []Item {
	return slices.DeleteFunc(slices.Clone(items), func(i Item) bool {
		return !slices.ContainsFunc(edits, func(e Edit) bool { return e.Item == i.Name })
	})
}

// verify makes sure that text says items.
func verify(f format, text string, items []Item) error {
	for _, item := range items {
		if s, _, err := f.find(text, item); err != nil || s == absent || s == changed {
			return &Error{Problem: "the place to write to cannot be told for sure"}
		}
	}
	return nil
}

// carryOut writes the record, the file, and the record again, without what was
// before.
func (j journal) carryOut(p plan, perm fs.FileMode) error {
	if err := j.begin(p); err != nil {
		return err
	}
	if p.text != p.file.text || !p.file.exists {
		if err := makeFolders(missingFolders(p.file.path)); err != nil {
			return err
		}
		if err := p.file.write(p.text, perm); err != nil {
			return err
		}
	}
	return j.write(p.record)
}

// begin writes the record of what is about to be done.
func (j journal) begin(p plan) error {
	r := p.record
	if r.Earlier = p.earlier; r.Earlier != nil {
		earlier := *r.Earlier
		earlier.Earlier = nil
		r.Earlier = &earlier
	}
	return j.write(r)
}
