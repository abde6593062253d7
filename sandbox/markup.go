package sandbox

import (
	"html"
	"strings"
)

// markup is HTML under construction. A template library would be linked into
// every run of the program, and each of them would pay for its start.
type markup struct{ b strings.Builder }

// add appends form, in which each "{}" stands for the next of values. What is
// in form is ours; values come from anywhere and are escaped. A "{}" may stand
// in text and within a quoted attribute, and nowhere else.
func (m *markup) add(form string, values ...string) {
	for _, v := range values {
		before, after, ok := strings.Cut(form, "{}")
		if !ok {
			panic("sandbox: internal error: more values than places in a page")
		}
		m.b.WriteString(before)
		m.b.WriteString(html.EscapeString(v))
		form = after
	}
	if strings.Contains(form, "{}") {
		panic("sandbox: internal error: more places than values in a page")
	}
	m.b.WriteString(form)
}

// addIf is add with value, unless that is empty.
func (m *markup) addIf(form, value string) {
	if value != "" {
		m.add(form, value)
	}
}

// wrap is the whole page around the content.
func (m *markup) wrap(style, title string) []byte {
	var page markup
	page.add(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{} - sandbox</title>
<link rel="stylesheet" href="{}">
</head>
<body>
<header><p>usher sandbox</p></header>
<main>
<h1>{}</h1>
`, title, style, title)
	page.b.WriteString(m.b.String())
	page.add(`
</main>
<footer><p>This is a server for trying and testing. It protects no real account.</p></footer>
</body>
</html>
`)
	return []byte(page.b.String())
}
