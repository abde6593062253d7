package toolconf

import (
	"encoding/json"
	"strings"
	"testing"
)

// fuzzed are the items that each tool is told by the fuzzers.
func fuzzed(tool string) []Item {
	switch tool {
	case "git":
		return []Item{gitItem("a.example", "a"), gitItem("b.example", "a")}
	case "docker":
		return []Item{dockerItem("ghcr.io"), dockerItem("b.example")}
	case "qwen":
		return []Item{qwenItem}
	}
	return kubeItems("corp", "one")
}

// seeds are texts of all tools.
func seeds(f *testing.F) {
	for _, tt := range goldens {
		f.Add(tt.tool, tt.before)
		f.Add(tt.tool, tt.want)
	}
	f.Add("git", "[a \"b\\\"c\"] d = e \\\n f ; g\n\th")
	f.Add("qwen", "{\"security\": /* x */ {\"auth\": {// y\n}}, \"z\": [1, {}, -2e3, null]}")
	f.Add("docker", "{\"credHelpers\": {\"ghcr.io\": {\"x\": 1}, \"b.example\": 1}}")
	f.Add("kubectl", "---\n# x\nusers:\n  # y\n  - user: {}\n    name: 'a''b'\ncontexts:\n- name: one\n  context:\n    cluster: c")
}

// insert then take back is nothing at all, whatever the text is, both by the
// places and by what is there; and so it is beside something that the person
// wrote meanwhile.
func FuzzInsertAndTakeBack(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, tool, text string) {
		form, err := formatOf(tool)
		if err != nil {
			return
		}
		items := fuzzed(tool)
		edits, err := form.insert(text, items)
		if err != nil {
			return
		}
		with := applyAll(text, edits)
		items = written(items, edits)
		if err := verify(form, with, items); err != nil {
			return // Setup refuses it
		}
		if again, err := form.insert(with, items); err != nil || len(again) > 0 {
			t.Fatalf("the second time: %+v, %v", again, err)
		}
		back, err := takeBack(form, with, items, edits)
		if err != nil {
			t.Fatalf("%v\n%s", err, with)
		}
		left := applyAll(with, back)
		for _, e := range edits {
			if strings.Count(text+with, e.Piece) > 1 {
				return // by what it means, which may lay things out in another way
			}
		}
		if left != text {
			t.Errorf("left:\n%q\nwas:\n%q\nwith:\n%q", left, text, with)
		}
	})
}

// Our reader takes for JSON what is JSON.
func FuzzReadJSON(f *testing.F) {
	for _, s := range []string{"{}", "[1,2]", `{"a":"\u00e9\\","b":[true,null,-1.5e+3]}`, `{"a" 1}`, "{,}", "01", `"`, "{} x", "\"\xff\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, bom) {
			return
		}
		_, ok, err := readJSON(text, false)
		if valid := json.Valid([]byte(text)); valid != (ok && err == nil) {
			if valid && (strings.Count(text, "[")+strings.Count(text, "{") > maxDepth || strings.ToValidUTF8(text, "") != text) {
				return
			}
			t.Errorf("%q: valid %v, read %v, %v", text, valid, ok, err)
		}
	})
}
