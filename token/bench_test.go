package token_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/credential/memstore"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/token"
)

// warm returns a manager that holds a usable token, on the system's clock.
func warm(t testing.TB) *token.Manager {
	store := memstore.New()
	seed(t, store, credential.Credential{
		Key: key, Kind: credential.Refreshable, State: credential.Active,
		AccessToken: hide("at-1"), RefreshToken: hide("rt-1"), Scopes: []string{"read"},
		Received: token.SystemClock().Now(), Lifetime: time.Hour,
	})
	m := token.NewManager(token.Config{Store: store})
	t.Cleanup(func() { m.Close(context.Background()) })
	if _, err := m.Token(context.Background(), key, 0); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTokenFromMemoryAllocatesNothing(t *testing.T) {
	m := warm(t)
	ctx := context.Background()
	if got := testing.AllocsPerRun(1000, func() { m.Token(ctx, key, time.Minute) }); got != 0 {
		t.Errorf("%v allocations per read, want 0", got)
	}
}

func BenchmarkTokenUsable(b *testing.B) {
	m := warm(b)
	ctx := context.Background()
	b.Run("manager", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.Token(ctx, key, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("manager parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := m.Token(ctx, key, 0); err != nil {
					b.Error(err)
				}
			}
		})
	})
	// What no cache of this kind can do without.
	b.Run("baseline sync.Map and time.Now", func(b *testing.B) {
		b.ReportAllocs()
		var tokens sync.Map
		tokens.Store(key, &token.Token{ExpiresAt: time.Now().Add(time.Hour)})
		for b.Loop() {
			v, ok := tokens.Load(key)
			if !ok || !time.Now().Before(v.(*token.Token).ExpiresAt) {
				b.Fatal("no token")
			}
		}
	})
}

// BenchmarkRefreshOwnCost is what a refresh costs beside the network: locks,
// re-reading, intent, the durable write, and over HTTP the request and its
// answer, too.
func BenchmarkRefreshOwnCost(b *testing.B) {
	b.Run("refresh", func(b *testing.B) {
		benchmarkRefresh(b, token.Config{Renewers: map[credential.Kind]token.Renewer{
			credential.Refreshable: func(context.Context, credential.Credential) (*oauth.Token, error) {
				return &oauth.Token{AccessToken: hide("at"), RefreshToken: hide("rt"), Lifetime: time.Hour}, nil
			},
		}})
	})
	b.Run("refresh over HTTP in memory", func(b *testing.B) {
		benchmarkRefresh(b, token.Config{HTTP: &http.Client{
			Transport: &memhttp.Transport{Handler: newProvider(time.Hour)},
		}})
	})
	b.Run("baseline write, fsync, rename, fsync folder", func(b *testing.B) {
		dir, data := b.TempDir(), make([]byte, 1024)
		for b.Loop() {
			if err := rawWrite(dir, data); err != nil {
				b.Fatal(err)
			}
		}
		reportMilliseconds(b)
	})
}

// benchmarkRefresh refreshes, in a store of files, with every turn.
func benchmarkRefresh(b *testing.B, cfg token.Config) {
	store, err := filestore.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	clock := &shifted{Clock: token.SystemClock()}
	cfg.Store, cfg.Clock = store, clock
	seed(b, store, credential.Credential{
		Key: key, Kind: credential.Refreshable, State: credential.Active,
		Binding: credential.Binding{
			Endpoints: oauth.Endpoints{Token: "https://as.test/token"},
			ClientID:  "client", AuthStyle: oauth.AuthNone, Dialect: oauth.DialectStandard,
		},
		AccessToken: hide("at-1"), RefreshToken: hide("rt-1"),
		Received: clock.Now(), Lifetime: time.Hour,
	})
	m := token.NewManager(cfg)
	defer m.Close(context.Background())
	for generation := uint64(2); b.Loop(); generation++ {
		clock.by.Add(int64(time.Hour))
		got, err := m.Token(context.Background(), key, 0)
		if err != nil || got.Generation != generation {
			b.Fatalf("Token = generation %d, %v, want %d", got.Generation, err, generation)
		}
	}
	reportMilliseconds(b)
}

// reportMilliseconds reports a turn's time in the unit that disks are judged in.
func reportMilliseconds(b *testing.B) {
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms")
}

func rawWrite(dir string, data []byte) error {
	temp := filepath.Join(dir, "temp")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(dir, "file")); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
