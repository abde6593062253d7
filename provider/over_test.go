package provider

import "testing"

// TestAnotherServerKeepsNothingAlive: how long one server keeps an unused
// refresh token says nothing about another.
func TestAnotherServerKeepsNothingAlive(t *testing.T) {
	preset := Settings{Issuer: "https://id.example.com", KeepAlive: "90d"}
	if merged, _ := (Settings{Title: "mine"}).over(preset); merged.KeepAlive != "90d" {
		t.Errorf("at the same server: %q", merged.KeepAlive)
	}
	if merged, _ := (Settings{Issuer: "https://other.example.com"}).over(preset); merged.KeepAlive != "" {
		t.Errorf("at another server: %q", merged.KeepAlive)
	}
}
