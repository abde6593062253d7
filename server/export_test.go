package server

// Routes lists the method and pattern of every route, and whether a daemon
// without a token refuses it.
func (s *Server) Routes() (all []struct {
	Method, Pattern string
	Public, Guarded bool
}) {
	for _, rt := range (&gateway{Server: s}).table() {
		all = append(all, struct {
			Method, Pattern string
			Public, Guarded bool
		}{rt.method, rt.pattern, rt.access == public, rt.access == guarded})
	}
	return all
}

// The limits that tests reach.
const (
	MaxStreams     = maxStreams
	MaxConnections = maxConnections
)
