package toolconf

import (
	"slices"
	"strings"
)

// takeBack returns the edits that take the record's items out of the file, and
// the record that the file really is of: that is the one from before if the
// program died before it wrote the file.
func (r Record) takeBack(f format, file textFile) (Record, []Edit, error) {
	for c := &r; c != nil; c = c.Earlier {
		switch hash(file.text) {
		case c.After:
			if back, ok := c.reverse(file.text); ok {
				return *c, back, nil
			}
		case c.Before:
			return *c, nil, nil
		}
	}
	back, err := takeBack(f, file.text, r.Items, r.Edits)
	if (err != nil || len(back) == 0) && r.Earlier != nil {
		return r.Earlier.takeBack(f, file)
	}
	return r, back, err
}

// reverse takes the record's edits back where they were made, in a text with the
// hash After. A record that somebody has changed does not fit.
func (r Record) reverse(text string) (back []Edit, ok bool) {
	for _, e := range slices.Backward(r.Edits) {
		if e.At < 0 || e.At > len(text) || !strings.HasPrefix(text[e.At:], e.Piece) {
			return nil, false
		}
		inverse := e.inverse(e.At)
		back, text = append(back, inverse), inverse.Apply(text)
	}
	return back, true
}

// Undo takes out of the file of r the items that which is true of, and writes
// those that are left anew. A file that was made is removed if it has nothing
// else in it. With dry it only says what it would do. An error matches
// [ErrChanged] if our part of the file was changed; nothing was changed then.
func Undo(home string, r Record, which func(Item) bool, dry bool) (Change, error) {
	if r.Target != "" {
		return unlink(home, r, dry)
	}
	f, err := formatOf(r.Tool)
	if err != nil {
		return Change{}, err
	}
	j, closeIt, err := openJournal(home)
	if err != nil {
		return Change{}, err
	}
	defer closeIt()
	now, err := j.find(r.Tool, r.Path)
	if err != nil || now == nil {
		return Change{Path: r.Path}, err // another process was faster
	}
	p, err := j.planUndo(f, *now, which)
	if err != nil || dry {
		return p.change, err
	}
	return p.change, j.carryOutUndo(p)
}

func (j journal) planUndo(f format, r Record, which func(Item) bool) (p plan, err error) {
	if p.file, err = readFile(r.Path); err != nil {
		return p, err
	}
	valid, edits, err := r.takeBack(f, p.file)
	if err != nil {
		return p, in(r.Path, err)
	}
	base := applyAll(p.file.text, edits)
	p.earlier, p.record, p.text = &r, valid, base
	p.record.Earlier, p.record.Edits, p.record.Items = nil, nil, nil
	for _, item := range still(f, p.file.text, r.Items) {
		if !which(item) {
			p.record.Items = append(p.record.Items, item)
		}
	}
	if len(p.record.Items) > 0 {
		if p.record.Edits, err = f.insert(base, p.record.Items); err != nil {
			return p, in(r.Path, err)
		}
		p.text = applyAll(base, p.record.Edits)
	}
	p.record.Before, p.record.After = hash(base), hash(p.text)
	p.change = Change{Path: r.Path, Before: p.file.text}
	if p.text != p.file.text {
		p.change.Edits = append(edits, p.record.Edits...)
	}
	p.change.Removed = p.file.exists && valid.Created && p.text == ""
	return p, nil
}

func (j journal) carryOutUndo(p plan) error {
	if len(p.record.Items) > 0 {
		return j.carryOut(p, 0)
	}
	switch {
	case p.change.Removed:
		if err := p.file.remove(p.record.Folders); err != nil {
			return err
		}
	case !p.file.exists:
		removeFolders(p.record.Folders)
	case p.text != p.file.text:
		if err := p.file.write(p.text, 0); err != nil {
			return err
		}
	}
	return j.drop(p.record)
}
