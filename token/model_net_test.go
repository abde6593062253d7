package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// modelRotationMode is what the provider makes of refresh tokens.
type modelRotationMode string

const (
	modelStrict modelRotationMode = "strict" // a spent token revokes the family
	modelGrace  modelRotationMode = "grace"  // unless it is the last but one: same answer again
	modelFixed  modelRotationMode = "fixed"  // one token, never spent
	modelDeaf   modelRotationMode = "deaf"   // as grace, but what is spent is refused and no more
)

// modelToken names a refresh token: the n-th of a login.
type modelToken struct{ family, n int }

func (t modelToken) refresh() string { return fmt.Sprintf("rt-%d-%d", t.family, t.n) }
func (t modelToken) access() string  { return fmt.Sprintf("at-%d-%d", t.family, t.n) }

func parseModelToken(s string) modelToken {
	parts := strings.Split(s, "-")
	family, err1 := strconv.Atoi(parts[1])
	n, err2 := strconv.Atoi(parts[2])
	if err := errors.Join(err1, err2); err != nil {
		panic(err)
	}
	return modelToken{family, n}
}

// modelFamily is a login at the provider.
type modelFamily struct {
	n       int  // the newest refresh token
	at      int  // the newest access token, where the other stays
	revoked bool // for the reuse of a token
	ended   bool // revoked by us
	refused bool // it was told invalid_grant
	tooLate bool // a living process won a token of it after the logout
}

// modelProvider is the authorization server.
type modelProvider struct {
	mode      modelRotationMode
	families  []*modelFamily // by login
	refreshes int            // that brought a new token
}

// redeem is a refresh request: the token it answers with, or false.
func (as *modelProvider) redeem(t modelToken) (modelToken, bool) {
	f := as.families[t.family]
	switch {
	case f.revoked || f.ended:
	case as.mode == modelFixed:
		f.at++
		as.refreshes++
		return modelToken{t.family, f.at}, true
	case t.n == f.n:
		f.n++
		as.refreshes++
		return modelToken{t.family, f.n}, true
	case as.mode != modelStrict && t.n == f.n-1:
		return modelToken{t.family, f.n}, true
	case as.mode != modelDeaf:
		f.revoked = true
	}
	f.refused = true
	return modelToken{}, false
}

// modelMessage is a request and then its answer.
type modelMessage struct {
	token    modelToken
	from     *modelProc // nil: nobody waits for it
	until    time.Time  // when it is gone; of those that nobody waits for
	answered bool
	status   int
	body     string
}

// orphan is the loss of a message's sender.
func (w *modelWorld) orphan(m *modelMessage) {
	m.from.msg, m.from = nil, nil
	m.until = time.Now().Add(modelTravel)
	if m.answered {
		w.gone(m)
	}
}

func (w *modelWorld) gone(m *modelMessage) {
	w.net = slices.DeleteFunc(w.net, func(o *modelMessage) bool { return o == m })
}

// deliver has the provider act on a request.
func (w *modelWorld) deliver(m *modelMessage) {
	t, ok := w.as.redeem(m.token)
	m.answered, m.status = true, http.StatusOK
	if ok && m.from != nil && (w.loggedOut || t.family != len(w.as.families)-1) {
		w.as.families[t.family].tooLate = true
	}
	switch {
	case !ok:
		m.status, m.body = http.StatusBadRequest, `{"error":"invalid_grant"}`
	case w.provider == modelFixed:
		m.body = fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, t.access(), modelLifetime/time.Second)
	default:
		m.body = fmt.Sprintf(`{"access_token":%q,"refresh_token":%q,"token_type":"Bearer","expires_in":%d}`,
			t.access(), t.refresh(), modelLifetime/time.Second)
	}
	if m.from == nil {
		w.gone(m)
	}
}

// modelTransport is the network as one process uses it.
type modelTransport struct{ p *modelProc }

func (tr modelTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(req.URL.Path, "/revoke") {
		tr.p.w.as.families[parseModelToken(form.Get("token")).family].ended = tr.p.w.without != revoking
		return modelResponse(http.StatusOK, ""), nil
	}
	return tr.refresh(req.Context(), parseModelToken(form.Get("refresh_token")))
}

func (tr modelTransport) refresh(ctx context.Context, t modelToken) (*http.Response, error) {
	p, w := tr.p, tr.p.w
	trace := httptrace.ContextClientTrace(ctx)
	trace.GetConn("model")
	if fate := p.stop(ctx, opSend); fate.fault != "" {
		p.note("unsent")
		return nil, io.ErrClosedPipe
	}
	trace.GotConn(httptrace.GotConnInfo{})
	m := &modelMessage{token: t, from: p}
	w.sending(m)
	w.net = append(w.net, m)
	p.msg, p.spent = m, true
	if w.without == unlockedSending {
		p.held.unlock()
	}
	if w.without == detaching {
		ctx = tr.attached(ctx)
	}
	fate := p.stop(ctx, opWait)
	if fate.fault != "" {
		return nil, tr.broken(m, fate.fault, ctx)
	}
	p.msg = nil
	w.gone(m)
	p.note("answer %s", m.body)
	if w.without == deciding && m.status == http.StatusServiceUnavailable {
		return modelResponse(http.StatusBadRequest, `{"error":"invalid_grant"}`), nil
	}
	// A refusal spends nothing.
	p.spent = m.status == http.StatusOK
	if held := p.held; held != nil && m.status == http.StatusBadRequest {
		held.refused = true
	}
	return modelResponse(m.status, m.body), nil
}

// attached is ctx, ended with the reader's.
func (tr modelTransport) attached(ctx context.Context) context.Context {
	joined, cancel := context.WithCancel(ctx)
	context.AfterFunc(tr.p.ctx, cancel)
	return joined
}

// broken is the end of a request without an answer.
func (tr modelTransport) broken(m *modelMessage, fault string, ctx context.Context) error {
	p, w := tr.p, tr.p.w
	p.note("%s", fault)
	w.orphan(m)
	if fault != "gave up" && w.without != retrying {
		return io.ErrUnexpectedEOF
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.DeadlineExceeded // which is not tried again
}

func modelResponse(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(strings.NewReader(body)),
	}
}
