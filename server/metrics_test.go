package server_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/server"
)

// The metrics are the broker's, and those of the server's own streams.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		began := time.Now()
		h := handler(t, server.Config{Broker: fake, Version: "v1.2.3"})
		want := func(native, compatible int) {
			t.Helper()
			text := fmt.Sprintf(`# TYPE fake gauge
fake 1
# HELP usher_event_streams Open streams of events, by the surface they are on.
# TYPE usher_event_streams gauge
usher_event_streams{surface="native"} %d
usher_event_streams{surface="compatible"} %d
# HELP usher_build_info 1, with the versions of the daemon and of the Go that it is built with.
# TYPE usher_build_info gauge
usher_build_info{version="v1.2.3",goversion=%q} 1
# HELP process_start_time_seconds When the daemon started.
# TYPE process_start_time_seconds gauge
process_start_time_seconds %d
`, native, compatible, runtime.Version(), began.Unix())
			synctest.Wait()
			w := serve(h, authorized("GET", "/metrics", ""))
			if diff := cmp.Diff(text, w.Body.String()); w.Code != http.StatusOK || diff != "" {
				t.Errorf("status %d (-want +got):\n%s", w.Code, diff)
			}
			if got := w.Header().Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
		}
		want(0, 0)
		time.Sleep(time.Hour)
		native := follow(t, h, "/v1/events")
		want(1, 0)
		compatible := follow(t, h, "/session/"+newSession(t, fake.hub)+"/events")
		want(1, 1)
		for _, stream := range []io.Closer{native.Body, compatible.Body} {
			if err := stream.Close(); err != nil {
				t.Fatal(err)
			}
		}
		want(0, 0)

		fake.err = api.Errorf(api.CodeStoreFailure, "no folder")
		if w := serve(h, authorized("GET", "/metrics", "")); w.Code != http.StatusInternalServerError || w.Body.String() != `{"error":"the daemon cannot use its data folder","code":"store_failure"}` {
			t.Errorf("a store that fails: %d %s", w.Code, w.Body)
		}
	})
}
