package filestore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
)

// intent says that a refresh token is about to be spent. It names the token,
// not the generation: a record that was changed beside the rotation still
// holds the same token, and one with another token has nothing to fear from
// an intent that was left behind. That is why no intent needs to be removed
// durably.
type intent struct {
	Grant      string    `json:"grant"`
	Generation uint64    `json:"generation"`
	Digest     string    `json:"refresh_sha256"` // see digest
	At         time.Time `json:"at"`             // for people; nothing is decided by it
}

// concerns goes by the token alone, where there is one: it may have been imported
// again meanwhile, as another grant.
func (i intent) concerns(c credential.Credential) bool {
	return i.Digest == digest(c) && (i.Grant == c.Grant || !c.RefreshToken.IsZero())
}

// digest recognises a credential's refresh token without telling it.
func digest(c credential.Credential) string {
	sum := sha256.Sum256([]byte(c.RefreshToken.Reveal()))
	return hex.EncodeToString(sum[:8])
}

// writeIntent writes and syncs the intent. The sync of the folder has a second
// job: it makes durable a rename after which a predecessor was killed. Without it
// a power cut after this rotation could bring back the record before that.
func (f folder) writeIntent(c credential.Credential) error {
	data, err := json.Marshal(intent{c.Grant, c.Generation, digest(c), time.Now().UTC()})
	if err != nil {
		return err
	}
	return failure("noting the intent to refresh", f.path, atomicfile.Write(f.intent(), data, 0o600))
}

// interrupted reports whether an earlier rotation set out to spend c's refresh
// token and did not come back. An intent that cannot be understood was left by
// somebody who did, for all we know.
func (f folder) interrupted(c credential.Credential) (bool, error) {
	raw, err := atomicfile.Read(f.intent(), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil && !errors.Is(err, atomicfile.ErrTooLarge) {
		return false, failure("reading the intent to refresh", f.path, err)
	}
	var i intent
	if err != nil || json.Unmarshal(raw, &i) != nil {
		return true, nil
	}
	return i.concerns(c), nil
}

func (f folder) clearIntent() error {
	if err := os.Remove(f.intent()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failure("clearing the intent to refresh", f.path, err)
	}
	return nil
}
