package cli

// mayWrite is true: whoever tries finds out.
func mayWrite(string) bool { return true }
