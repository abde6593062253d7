package provider

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/usherauth/usher/internal/conffile"
)

// A reading is what is known of one file.
type reading struct {
	of       identity // of the file that was read; the zero value is none's
	good     bool     // provider holds the last good reading
	provider Provider
	problem  error // why the file as it is now is not good
}

// An identity tells whether a file is still the one that was read.
type identity struct {
	info fs.FileInfo
	// settled: the file was older than the granularity of any file system's
	// time stamps when it was read. One that was younger could change
	// again without a trace, so it is read again.
	settled bool
}

func identify(info fs.FileInfo) identity {
	return identity{info: info, settled: time.Since(info.ModTime()) > 2*time.Second}
}

func (id identity) is(info fs.FileInfo) bool {
	return id.settled && os.SameFile(id.info, info) &&
		id.info.Size() == info.Size() && id.info.ModTime().Equal(info.ModTime())
}

// readLocked returns the reading of the file of name, taken now unless the file
// is as it was; nil if there is no such file.
func (c *Catalogue) readLocked(name string) *reading {
	path := c.path(name)
	r := c.files[name]
	if info, err := os.Stat(path); err == nil && r != nil && r.of.is(info) {
		return r
	}
	p, id, err := c.readFile(name, path)
	if errors.Is(err, fs.ErrNotExist) && !isLink(path) {
		delete(c.files, name)
		return nil
	}
	if r == nil {
		r = &reading{}
		c.files[name] = r
	}
	r.of, r.problem = id, err
	if err == nil {
		r.good, r.provider = true, p
	}
	return r
}

// isLink reports whether path is a link, which then leads nowhere. Such a file
// is broken rather than absent: a preset must not silently take its place.
func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// readFile reads the provider name from path. The identity is zero if the file
// could not be read.
func (c *Catalogue) readFile(name, path string) (Provider, identity, error) {
	data, info, err := conffile.Read(path, conffile.MaxSize)
	if err != nil {
		return Provider{}, identity{}, fmt.Errorf("provider %s: %w", name, err)
	}
	p, err := c.parse(name, path, data)
	return p, identify(info), err
}

// parse makes the provider name of the contents of its file. Errors are
// *[conffile.Error].
func (c *Catalogue) parse(name, path string, data []byte) (Provider, error) {
	var s Settings
	if err := conffile.Decode(path, data, &s); err != nil {
		return Provider{}, err
	}
	base, err := c.baseOf(name, s)
	if err != nil {
		return Provider{}, &conffile.Error{Path: path, Key: "base", Problem: err.Error()}
	}
	defaults := c.presets[base]
	if base != name {
		defaults = defaults.lent()
	}
	merged, given := s.over(defaults)
	if err := merged.validate(); err != nil {
		mistake := &conffile.Error{Path: path, Problem: err.Error()}
		var of keyError
		if errors.As(err, &of) {
			mistake.Key, mistake.Problem = of.key, of.err.Error()
		}
		return Provider{}, mistake
	}
	p := merged.provider(name)
	p.Path, p.Base = path, base
	_, p.Preset = c.presets[name]
	if base != "" {
		p.Overridden = given
	}
	return p, nil
}

// baseOf is the preset that the settings of name build on, or empty.
func (c *Catalogue) baseOf(name string, s Settings) (string, error) {
	if _, ok := c.presets[name]; ok {
		if s.Base != "" && s.Base != name {
			return "", fmt.Errorf("the preset %s has this name already and is its base", name)
		}
		return name, nil
	}
	if _, ok := c.presets[s.Base]; !ok && s.Base != "" {
		return "", fmt.Errorf("there is no preset %q", s.Base)
	}
	return s.Base, nil
}
