package sandbox

// A view is what a page shows. The pages need no script and carry none.
type view interface {
	title() string
	write(m *markup)
}

// enterView is the page that asks for a user code.
type enterView struct {
	Action  string
	Problem string
}

func (enterView) title() string { return "Connect a device" }

func (v enterView) write(m *markup) {
	m.addIf(`<p class="problem" role="alert" id="problem">{}</p>`, v.Problem)
	m.add(`
<form method="get" action="{}">
<label for="user_code">Enter the code shown on your device</label>
<input id="user_code" name="user_code" class="code" type="text" required autofocus maxlength="20"
 placeholder="XXXX-XXXX" autocomplete="off" autocapitalize="characters" spellcheck="false"`, v.Action)
	if v.Problem != "" {
		m.add(` aria-describedby="problem" aria-invalid="true"`)
	}
	m.add(`>
<button type="submit" class="primary">Continue</button>
</form>`)
}

// decideView is the page that asks for a decision.
type decideView struct {
	Action   string
	UserCode string // device grant only
	Client   string
	Subject  string
	Scopes   []scopeView
	Started  *startContext
	Return   string // authorization code grant only: where the browser goes next
	Hidden   []field
}

type field struct{ Name, Value string }

// scopeView is a scope and what it means, if that is known.
type scopeView struct{ Name, Meaning string }

func (decideView) title() string { return "Allow this login?" }

func (v decideView) write(m *markup) {
	m.addIf(`<p>Check that your device shows exactly this code:</p>
<p class="code">{}</p>
`, v.UserCode)
	m.add(`<dl>
<dt>App</dt><dd><bdi>{}</bdi></dd>
<dt>Wants to</dt>
<dd><ul>`, v.Client)
	for _, scope := range v.Scopes {
		m.add(`<li>`)
		m.addIf(`{} `, scope.Meaning)
		m.add(`<code><bdi>{}</bdi></code></li>`, scope.Name)
	}
	m.add(`</ul></dd>
<dt>As</dt><dd><bdi>{}</bdi></dd>
`, v.Subject)
	if v.Started != nil {
		m.addIf(`<dt>On machine</dt><dd><bdi>{}</bdi></dd>`, v.Started.Host)
		m.addIf(`<dt>By user</dt><dd><bdi>{}</bdi></dd>`, v.Started.User)
		m.addIf(`<dt>Started</dt><dd><bdi>{}</bdi></dd>`, v.Started.Started)
	}
	m.addIf(`<dt>Then goes to</dt><dd><bdi>{}</bdi></dd>`, v.Return)
	m.add(`
</dl>
`)
	if v.Started != nil {
		m.add(`<p class="note">Machine, user and time are what the app says about itself.</p>
`)
	}
	m.add(`<p class="warning"><strong>Did you start this login yourself, just now?</strong> If somebody sent you the code or the link, choose Deny.</p>
<form method="post" action="{}">
`, v.Action)
	for _, f := range v.Hidden {
		m.add(`<input type="hidden" name="{}" value="{}">
`, f.Name, f.Value)
	}
	m.add(`<button type="submit" name="decision" value="approve" class="primary">Approve</button>
<button type="submit" name="decision" value="deny">Deny</button>
</form>`)
}

// messageView is a page with nothing left to do.
type messageView struct{ Title, Text string }

func (v messageView) title() string { return v.Title }

func (v messageView) write(m *markup) { m.add(`<p role="status">{}</p>`, v.Text) }
