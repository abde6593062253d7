package provider

import (
	_ "embed"
	"fmt"

	"github.com/usherauth/usher/internal/conffile"
)

//go:embed catalog.toml
var catalog []byte

// loadPresets parses the embedded catalogue: name -> complete settings. A
// preset may have another one as its base, but not one that has a base itself.
func loadPresets() (map[string]Settings, error) {
	var raw map[string]Settings
	if err := conffile.Decode("catalog.toml", catalog, &raw); err != nil {
		return nil, err
	}
	presets := make(map[string]Settings, len(raw))
	for name, s := range raw {
		if s.Base != "" {
			base, ok := raw[s.Base]
			if !ok || base.Base != "" {
				return nil, fmt.Errorf("catalog.toml: %s: base %s cannot be one", name, s.Base)
			}
			s, _ = s.over(base.lent())
		}
		if err := s.validate(); err != nil {
			return nil, fmt.Errorf("catalog.toml: %s: %w", name, err)
		}
		presets[name] = s
	}
	return presets, nil
}
