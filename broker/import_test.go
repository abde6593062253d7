package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/share"
)

// What another tool obtained is a credential like any other from then on, and
// takes the place of none that works.
func TestImport(t *testing.T) {
	inSharedWorld(t, func(t *testing.T, w *world, qwen *share.File) {
		other := w.broker(inTheBubble)
		w.login(other, "shared/other")
		c, err := w.store.Get(t.Context(), credential.Key{Provider: "shared", Account: "other"})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.store.Delete(t.Context(), c.Key, c.Generation); err != nil {
			t.Fatal(err)
		}
		found := share.Contents{
			AccessToken: c.AccessToken, RefreshToken: c.RefreshToken, TokenType: "Bearer",
			ResourceURL: "api.example", ExpiresAt: time.Now().Add(time.Minute),
		}
		b := w.broker(sharing(qwen))
		sub := b.Events().Subscribe("")
		imported := func(r broker.ImportRequest) (api.Credential, *api.Error) {
			t.Helper()
			r.Found = found
			view, err := b.Import(t.Context(), r)
			return view, api.AsError(err)
		}
		view, e := imported(broker.ImportRequest{Key: "shared"})
		if e != nil || view.State != api.StateActive || view.ShareWith != share.Qwen || view.Generation != 1 || !view.RefreshedAt.IsZero() {
			t.Fatalf("Import = %+v, %v", view, e)
		}
		if e := next(t, sub, api.EventCredentialStored); e.Credential.Key != "shared" {
			t.Errorf("event %+v", e.Credential)
		}
		w.wantShared(b, "shared", qwen)
		if log := w.audit.String(); !strings.Contains(log, "status=stored") {
			t.Errorf("the audit log lacks the import:\n%s", log)
		}
		// It is renewed as what a login made.
		time.Sleep(2 * time.Minute)
		w.wantShared(b, "shared", qwen)
		if n := w.as.Record().RefreshRequests; n != 1 {
			t.Errorf("%d refresh requests, want 1", n)
		}

		if view, e := imported(broker.ImportRequest{Key: "shared"}); e == nil || e.Code != api.CodeConflict || !strings.Contains(e.Hint, "--force") {
			t.Errorf("over one that works: %+v, %+v", view, e)
		}
		if view, e := imported(broker.ImportRequest{Key: "shared", Replace: true, ShareWith: api.ShareNone}); e != nil || view.Generation <= 1 || view.ShareWith != "" {
			t.Errorf("over one that works, as asked: %+v, %+v", view, e)
		}
		// Nor is one token held twice, even if that is asked for.
		for key, want := range map[string]string{"shared": "nothing is left", "shared/other": "go on with shared"} {
			r := broker.ImportRequest{Key: key, Replace: true, ShareWith: api.ShareNone}
			if view, e := imported(r); e == nil || e.Code != api.CodeConflict || !strings.Contains(e.Hint, want) {
				t.Errorf("%s, once more: %+v, %+v", key, view, e)
			}
		}
		if view, e := imported(broker.ImportRequest{Key: "shared", Replace: true, ShareWith: share.Qwen}); e != nil || view.ShareWith != share.Qwen {
			t.Errorf("once more, to share it: %+v, %+v", view, e)
		}
		found.RefreshToken = secret.New("another")
		if _, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"}); err != nil {
			t.Fatal(err)
		}
		if view, e := imported(broker.ImportRequest{Key: "sandbox"}); e == nil || e.Code != api.CodeConflict || !strings.Contains(e.Message, "pending") {
			t.Errorf("beside a login: %+v, %+v", view, e)
		}
		for key, want := range map[string]api.Code{"Not A Key": api.CodeInvalidKey, "githbu": api.CodeUnknownProvider, "github": api.CodeProviderIncomplete} {
			if view, e := imported(broker.ImportRequest{Key: key}); e == nil || e.Code != want {
				t.Errorf("%s: %+v, %+v, want %s", key, view, e, want)
			}
		}
	})
}
