package broker

import (
	"context"
	"io"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/promtext"
)

// WriteMetrics writes how the credentials and their renewal stand, in the
// Prometheus text format. Of a credential that is gone nothing is written.
func (b *Broker) WriteMetrics(ctx context.Context, w io.Writer) error {
	creds, unreadable, err := b.readable(ctx)
	if err != nil {
		return apiError(err, "")
	}
	var text promtext.Text
	writeStates(&text, creds)
	text.Gauge("usher_unreadable_credentials", "Stored credentials that could not be read.")
	text.Sample(float64(unreadable))
	b.tallies.write(&text, creds, unreadable == 0)
	pending, err := b.liveLogins(ctx)
	if err != nil {
		return apiError(err, "")
	}
	text.Gauge("usher_logins_pending", "Logins that wait for a person.")
	text.Sample(float64(len(pending)))
	_, err = w.Write(text.Bytes())
	return err
}

// writeStates writes what is stored of each credential.
func writeStates(text *promtext.Text, creds []credential.Credential) {
	text.Gauge("usher_credential_state", "1 for the state that the credential is in.")
	for _, c := range creds {
		now, _ := stateOf(c)
		for _, state := range []credential.State{credential.Active, credential.NeedsLogin} {
			text.Flag(state == now, "key", c.Key.String(), "state", string(state))
		}
	}
	text.Gauge("usher_credential_needs_login", "1 for each credential that yields no token until somebody logs in, with the cause.")
	for _, c := range creds {
		if now, cause := stateOf(c); now == credential.NeedsLogin {
			text.Sample(1, "key", c.Key.String(), "cause", string(cause))
		}
	}
	text.Gauge("usher_credential_expires_timestamp_seconds", "End of the access token, where the provider named one.")
	for _, c := range creds {
		text.Time(c.ExpiresAt(), "key", c.Key.String())
	}
	text.Gauge("usher_credential_needs_login_by_timestamp_seconds", "When a person will be needed, where that is known.")
	for _, c := range creds {
		text.Time(needsLoginBy(c), "key", c.Key.String())
	}
	text.Gauge("usher_credential_last_refresh_timestamp_seconds", "The last refresh that succeeded, whoever made it.")
	for _, c := range creds {
		text.Time(c.RefreshedAt, "key", c.Key.String())
	}
}

// write writes what was counted of creds. all tells that these are all there
// are, so that the others can be forgotten.
func (t *tallies) write(text *promtext.Text, creds []credential.Credential, all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if all {
		t.forget(creds)
	}
	// All results from the start, so that the first of a kind shows as an increase.
	text.Counter("usher_refreshes_total", "Refreshes of a token that ended in this process, by how.")
	for _, c := range creds {
		for _, result := range results {
			text.Sample(float64(t.of(c.Key).ended[result]), "key", c.Key.String(), "result", string(result))
		}
	}
	text.Gauge("usher_credential_last_refresh_result", "1 for how the last refresh in this process ended.")
	for _, c := range creds {
		if last := t.of(c.Key).last; last != "" {
			text.Sample(1, "key", c.Key.String(), "result", string(last))
		}
	}
	for _, counter := range []struct {
		name, help string
		of         func(*tally) uint64
	}{
		{"usher_refresh_requests_total", "How often a refresh token was sent.", func(of *tally) uint64 { return of.requests }},
		{"usher_refresh_ambiguous_total", "How many of these have an unknown outcome.", func(of *tally) uint64 { return of.ambiguous }},
		{"usher_shared_file_failures_total", "Failures to read or write the file of the tool that shares the credential.", func(of *tally) uint64 { return of.shareFailed }},
	} {
		text.Counter(counter.name, counter.help)
		for _, c := range creds {
			text.Sample(float64(counter.of(t.of(c.Key))), "key", c.Key.String())
		}
	}
	text.Histogram("usher_rotation_lock_wait_seconds", "Waiting for another process's refresh of the same credential.", t.lockWait)
	text.Histogram("usher_rotation_duration_seconds", "Whole refreshes, waiting included.", t.took)
	text.Gauge("usher_unpersisted_rotations", "Refreshed tokens that could not be stored yet: they are lost if the process is killed.")
	text.Sample(float64(len(t.unstored)))
}
