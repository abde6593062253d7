package server

import (
	"bytes"
	"net/http"
	"runtime"

	"github.com/usherauth/usher/internal/promtext"
)

// metrics is GET /metrics: the broker's metrics and the server's own.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	var body bytes.Buffer
	if err := s.Broker.WriteMetrics(r.Context(), &body); err != nil {
		return err
	}
	body.Write(s.ownMetrics())
	writeBody(w, promtext.ContentType, http.StatusOK, body.Bytes())
	return nil
}

// ownMetrics is what the server itself has to tell.
func (s *Server) ownMetrics() []byte {
	var text promtext.Text
	text.Gauge("usher_event_streams", "Open streams of events, by the surface they are on.")
	text.Sample(float64(len(s.streams)), "surface", "native")
	text.Sample(float64(s.sessionStreams.Load()), "surface", "compatible")
	text.Gauge("usher_build_info", "1, with the versions of the daemon and of the Go that it is built with.")
	text.Sample(1, "version", s.Version, "goversion", runtime.Version())
	text.Gauge("process_start_time_seconds", "When the daemon started.")
	text.Time(s.began)
	return text.Bytes()
}
