// Package provider holds where logins happen, as data: endpoints or an issuer,
// the client, scopes, the dialect. Presets come with the program; a person adds
// providers, or overrides parts of a preset, in one TOML file each.
//
// Use [Open] first. [Catalogue.Lookup] gives the provider of a name as the
// files say at that moment, [Provider.Check] tells whether it has all a login
// needs, and [Resolver.Resolve] finds the endpoints that the provider's issuer
// publishes. From there on a login works with its own copy of these facts; a
// later change of a file reaches new logins alone.
//
// # Files
//
// The file NAME.toml in the catalogue's directory is the provider NAME. Its keys
// are the toml tags of [Settings]. A file with the name of a preset overrides
// the preset, and so does, under a name of its own, a file that names a preset
// in base. Only the keys it gives override, with one rule beside that: a file
// that says where the server is (an issuer, or both the device authorization and
// the token endpoint) replaces all that the preset says about that: endpoints,
// base_url, and which variables and hosts get a token. A token must never go to
// one server by what was written about another.
//
// Files are read again when they change. A file that became wrong does not take
// its provider away: the last good reading stands, and the mistake is reported
// by [Catalogue.Problems]. A file that was never good makes its name unusable,
// also if a preset has that name, because the preset alone is not what the
// person asked for.
package provider
