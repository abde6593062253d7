package provider

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// fileSuffix ends the name of a provider's file.
const fileSuffix = ".toml"

// Catalogue is the presets and one directory of users' files, seen as one. The
// directory need not exist. It is safe for concurrent use; several catalogues,
// also in several processes, may share a directory.
type Catalogue struct {
	dir       string
	checkName func(string) error
	presets   map[string]Settings // name -> complete settings; never changed

	mu    sync.Mutex          // held over the reading of these small files, so that none is read twice
	files map[string]*reading // name -> what was last read of its file
	stray []error             // what is wrong in dir beside the files' contents
}

// Open returns the catalogue of the presets and the files in dir. Nothing is
// read yet. checkName says why a name cannot be a provider's; it adds to the
// rule of this package, that a name is a plain file name of a-z 0-9 . _ -, and
// may be nil.
func Open(dir string, checkName func(string) error) *Catalogue {
	presets, err := loadPresets()
	if err != nil {
		panic("provider: internal error: " + err.Error())
	}
	return &Catalogue{dir: dir, checkName: checkName, presets: presets, files: map[string]*reading{}}
}

// Lookup returns the provider of that name as its file says now, which is
// checked at each call. A file that became wrong leaves the last good reading
// in place, see [Catalogue.Problems]; the error for one that was never good is
// that mistake. A name without a provider gives an *[UnknownError]. What Lookup
// returns may still be incomplete, see [Provider.Check].
func (c *Catalogue) Lookup(name string) (Provider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.validName(name) != nil {
		// No file may be looked for under such a name.
		return Provider{}, c.unknownLocked(name)
	}
	if r := c.readLocked(name); r != nil {
		if !r.good {
			return Provider{}, r.problem
		}
		return r.provider.clone(), nil
	}
	if s, ok := c.presets[name]; ok {
		return c.preset(name, s), nil
	}
	return Provider{}, c.unknownLocked(name)
}

// List returns all providers, sorted by name, as the files say now. Providers
// whose file was never good are missing from it; [Catalogue.Problems] has them.
func (c *Catalogue) List() []Provider {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scanLocked()
	var list []Provider
	for _, r := range c.files {
		if r.good {
			list = append(list, r.provider.clone())
		}
	}
	for name, s := range c.presets {
		if c.files[name] == nil {
			list = append(list, c.preset(name, s))
		}
	}
	slices.SortFunc(list, func(a, b Provider) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Problems returns what is wrong with the files, as found by the calls so far
// and sorted by name: mistakes in a file, files that cannot be read, file names
// that are no provider names. Each names its file.
func (c *Catalogue) Problems() []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.problemsLocked()
}

// Reload reads all files again, changed or not, and returns the problems found,
// joined.
func (c *Catalogue) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.files {
		r.of = identity{}
	}
	c.scanLocked()
	return errors.Join(c.problemsLocked()...)
}

func (c *Catalogue) problemsLocked() []error {
	problems := slices.Clone(c.stray)
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		if err := c.files[name].problem; err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// scanLocked reads what is new or changed in the directory and forgets what is
// gone.
func (c *Catalogue) scanLocked() {
	c.stray = nil
	entries, err := os.ReadDir(c.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		// Names known by now are still looked at one by one.
		c.stray = append(c.stray, fmt.Errorf("listing providers: %w", err))
	}
	names := maps.Clone(c.files)
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), fileSuffix)
		if !ok || strings.HasPrefix(name, ".") {
			continue // notes, editors' back-ups, temporary files
		}
		if err := c.validName(name); err != nil {
			c.stray = append(c.stray, fmt.Errorf("%s is ignored: %w", filepath.Join(c.dir, entry.Name()), err))
			continue
		}
		names[name] = nil
	}
	for name := range names {
		c.readLocked(name)
	}
}

func (c *Catalogue) preset(name string, s Settings) Provider {
	p := s.provider(name)
	p.Preset = true
	return p
}

func (c *Catalogue) path(name string) string { return filepath.Join(c.dir, name+fileSuffix) }

// validName reports why name cannot be a provider's. Its own rule is what keeps
// a name inside the directory; it stands whatever checkName says.
func (c *Catalogue) validName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	plain := len(name) >= 1 && len(name) <= 63 && strings.Contains(letters, name[:1]) &&
		strings.Trim(name, letters+"._-") == ""
	// IsLocal knows the device names of Windows.
	if !plain || !filepath.IsLocal(name+fileSuffix) {
		return fmt.Errorf("provider name %q must be 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit", name)
	}
	if c.checkName != nil {
		return c.checkName(name)
	}
	return nil
}

// unknownLocked is the error for name, with what it may have been meant to be.
func (c *Catalogue) unknownLocked(name string) error {
	c.scanLocked()
	known := slices.Collect(maps.Keys(c.presets))
	for name := range c.files {
		if _, ok := c.presets[name]; !ok {
			known = append(known, name)
		}
	}
	slices.Sort(known)
	return &UnknownError{Name: name, Suggestion: nearest(name, known), Known: known}
}
