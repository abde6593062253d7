package cli

// resolveKey is the key that name means: name itself if it names an account, and
// else the account that --account, the environment or a rule for the working
// folder chooses.
func (a *app) resolveKey(name, account string) (string, error) {
	if account != "" {
		name += "/" + account
	}
	return name, nil
}
