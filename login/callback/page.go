package callback

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/internal/safetext"
)

// page is what a person sees.
type page struct {
	status      int
	title, text string // "{}" stands for the provider
}

// pages are the pages of the outcomes. None shows anything of the request.
func (o Outcome) page() page {
	switch o {
	case LoggedIn:
		return page{http.StatusOK, "You are logged in to {}.", "You can close this page."}
	case Denied:
		return page{http.StatusOK, "{} denied the login.", "Nobody was given access. You can close this page."}
	case Failed:
		return page{http.StatusOK, "The login to {} did not work.",
			"Where you started it, you can see why. You can close this page."}
	case Unfinished:
		return page{http.StatusAccepted, "Your answer has arrived.",
			"The login to {} is being finished; where you started it, you can see how it ends. You can close this page."}
	case Unsent:
		return page{http.StatusBadGateway, "Not yet logged in to {}.",
			"Your answer has arrived, but it could not be passed on just now. The login is still waiting: reload this page to try again."}
	case Over:
		return page{http.StatusGone, "This login is over.", "There is nothing left to do here. You can close this page."}
	}
	return page{http.StatusBadRequest, "This page does not belong to this login.",
		"Nothing has happened. Go back to where you started the login to {}, and open the link that is shown there."}
}

// styleSheet works on a phone and on a desk, by day and by night.
const styleSheet = `:root{color-scheme:light dark}` +
	`body{margin:15vh auto 0;max-width:32rem;padding:0 1.25rem;font:1.125rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}` +
	`h1{font-size:1.625rem;line-height:1.25;margin:0 0 .75rem}` +
	`p{margin:0;opacity:.8}`

// styleHash names the style sheet in the content policy.
func styleHash() string {
	sum := sha256.Sum256([]byte(styleSheet))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// show answers with the page of an outcome.
func (h *handler) show(w http.ResponseWriter, o Outcome) {
	p := o.page()
	provider := html.EscapeString(safetext.Line(h.title, 60))
	title := strings.ReplaceAll(p.title, "{}", provider)
	text := strings.ReplaceAll(p.text, "{}", provider)
	h.write(w, p.status, "text/html; charset=utf-8", `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>`+title+`</title>
<style>`+styleSheet+`</style>
</head>
<body>
<main>
<h1>`+title+`</h1>
<p>`+text+`</p>
</main>
</body>
</html>
`)
}

// refuse answers what is no answer, in plain words.
func (h *handler) refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Allow", http.MethodGet)
	// A body that is sent slowly, or never, is not waited for.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now())
	h.write(w, status, "text/plain; charset=utf-8", text+"\n")
}

// write sends a body whole: the connection may be closed right after.
func (h *handler) write(w http.ResponseWriter, status int, contentType, body string) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Content-Security-Policy",
		"default-src 'none'; style-src '"+h.style+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	// Whoever has hung up needs no answer.
	_, _ = w.Write([]byte(body))
	_ = http.NewResponseController(w).Flush()
}
