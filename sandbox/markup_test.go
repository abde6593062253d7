package sandbox

import (
	"strings"
	"testing"
)

func TestMarkupEscapes(t *testing.T) {
	const hostile = `"><script>alert('1')</script>{}&amp;`
	for name, v := range map[string]view{
		"enter":   enterView{Action: hostile, Problem: hostile},
		"message": messageView{Title: hostile, Text: hostile},
		"decide": decideView{
			Action: hostile, UserCode: hostile, Client: hostile, Subject: hostile, Return: hostile,
			Scopes:  []scopeView{{Name: hostile, Meaning: hostile}},
			Started: &startContext{Host: hostile, User: hostile, Started: hostile},
			Hidden:  []field{{hostile, hostile}},
		},
	} {
		var m markup
		v.write(&m)
		page := string(m.wrap(hostile, v.title()))
		if strings.Contains(page, "<script") || strings.Contains(page, `"">`) || strings.Contains(page, "'1'") {
			t.Errorf("page %s shows markup of a value:\n%s", name, page)
		}
		if !strings.Contains(page, "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;{}&amp;amp;") {
			t.Errorf("page %s does not show the value:\n%s", name, page)
		}
	}
}

func TestMarkupCountsItsPlaces(t *testing.T) {
	for name, add := range map[string]func(*markup){
		"too few values":  func(m *markup) { m.add("{} {}", "a") },
		"too many values": func(m *markup) { m.add("{}", "a", "b") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			add(new(markup))
		}()
	}
}
