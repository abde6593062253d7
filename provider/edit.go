package provider

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pelletier/go-toml/v2"

	"github.com/usherauth/usher/internal/atomicfile"
)

// fileHead begins a file that Add writes; its parameter is the name.
const fileHead = "# A provider of usher. A change takes effect at the next login; see: usher provider show %s\n\n"

// Spec is a provider to add.
type Spec struct {
	// Name is the provider's; with a preset's name the settings override it.
	Name string
	// Settings become the file. Those that are empty are not written.
	Settings Settings
	// Replace allows to overwrite a file that exists.
	Replace bool
}

// Add writes the file of a provider and returns its path. Everything is checked
// first, with the rules for reading, so that nothing is written that would not
// be read back; a client secret's file has to be there. A provider that builds
// on no preset needs a client id. The file is private (0600, in a directory made
// 0700) and appears whole or not at all. If it exists the error matches
// [ErrExists], unless spec.Replace is set; of two processes that add the same
// name at the same moment, one wins.
func (c *Catalogue) Add(spec Spec) (path string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.validName(spec.Name); err != nil {
		return "", err
	}
	data, err := c.render(spec)
	if err != nil {
		return "", fmt.Errorf("adding provider %s: %w", spec.Name, err)
	}
	path = c.path(spec.Name)
	if _, err := os.Lstat(path); err == nil && !spec.Replace {
		return "", fmt.Errorf("%w: %s", ErrExists, path)
	}
	if err := atomicfile.EnsureDir(c.dir); err != nil {
		return "", fmt.Errorf("adding provider %s: %w", spec.Name, err)
	}
	if err := atomicfile.Write(path, data, 0o600); err != nil {
		return "", fmt.Errorf("adding provider %s: %w", spec.Name, err)
	}
	return path, nil
}

// render is the file for spec, after all checks.
func (c *Catalogue) render(spec Spec) ([]byte, error) {
	if _, given := spec.Settings.over(Settings{}); len(given) == 0 && spec.Settings.Base == "" {
		return nil, errors.New("nothing is given")
	}
	data, err := toml.Marshal(spec.Settings)
	if err != nil {
		return nil, err
	}
	// In messages the name of the provider says enough; there is no file yet.
	p, err := c.parse(spec.Name, "settings", data)
	if err != nil {
		return nil, err
	}
	if p.Base == "" {
		if err := p.Check(); err != nil {
			return nil, err
		}
	}
	if _, err := p.ClientSecret(); err != nil {
		return nil, err
	}
	return append(fmt.Appendf(nil, fileHead, spec.Name), data...), nil
}

// Remove deletes the file of a provider. It works on broken files as well.
// Removing an override gives the preset back: restored reports that. A preset
// without a file gives an error that matches [ErrPreset], a name without a
// provider an *[UnknownError].
func (c *Catalogue) Remove(name string) (restored bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.validName(name) != nil {
		return false, c.unknownLocked(name)
	}
	_, restored = c.presets[name]
	err = os.Remove(c.path(name))
	switch {
	case err == nil:
		delete(c.files, name)
		return restored, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("removing provider %s: %w", name, err)
	case restored:
		return false, fmt.Errorf("%w: %s", ErrPreset, name)
	}
	return false, c.unknownLocked(name)
}
