package cli

import "github.com/usherauth/usher/api"

// jsonView shows a login to a program.
type jsonView struct{ app *app }

func (v *jsonView) begin(l api.Login) { _ = v.app.printJSON(l) }

func (v *jsonView) update(api.Login) {}

func (v *jsonView) end(l api.Login) {
	if l.Ended() {
		_ = v.app.printJSON(l)
	}
}

func (v *jsonView) input() <-chan loginInput { return nil }
