package cli

import (
	"testing"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
)

// There is a QR code as --qr has it: by method code only for those who insist, and
// nobody who does is left to wonder why there is none.
func TestQRCodeIsThereAsAsked(t *testing.T) {
	for _, tt := range []struct {
		method       string
		when         qrWhen
		columns      int
		there, whyNo bool
	}{
		{api.MethodDevice, qrAuto, 80, true, false},
		{api.MethodDevice, qrAlways, 80, true, false},
		{api.MethodDevice, qrNever, 80, false, false},
		{api.MethodCode, qrAuto, 80, false, false},
		{api.MethodCode, qrAlways, 80, true, false},
		{api.MethodCode, qrNever, 80, false, false},
		{api.MethodDevice, qrAuto, 20, false, false},
		{api.MethodDevice, qrAlways, 20, false, true},
	} {
		a := &app{err: term.New(&fakeTerminal{columns: tt.columns, rows: 24}, func(string) string { return "" })}
		p := pageOf(func(p *loginPage) {
			p.login.Method, p.login.AuthorizationURI = tt.method, "https://example.com/authorize?state=1"
		})
		if c := a.canvas(p, tt.when, term.Dark); (c.qr != nil) != tt.there || (c.noQR != "") != tt.whyNo {
			t.Errorf("method %s, --qr=%s, %d columns: there is one: %v, why not: %q", tt.method, tt.when, tt.columns, c.qr != nil, c.noQR)
		}
	}
}
