package server

// A RouteLine is what tests know of a route: what it asks of its caller is
// "bearer", "public", "strict" or "guarded".
type RouteLine struct {
	Method, Pattern, Access string
	Public, Guarded         bool
}

// Routes lists every route of the running server.
func (s *Server) Routes() (all []RouteLine) {
	for _, rt := range (&gateway{Server: s}).table() {
		all = append(all, RouteLine{
			Method: rt.method, Pattern: rt.pattern, Access: [...]string{"bearer", "public", "strict", "guarded"}[rt.access],
			Public: rt.access == public, Guarded: rt.access == guarded,
		})
	}
	return all
}

// The limits that tests reach.
const (
	MaxStreams     = maxStreams
	MaxConnections = maxConnections
	MaxLimited     = maxLimited
)

// Features are the tags that every server advertises.
var Features = features
