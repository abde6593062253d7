package server_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/server"
)

// TestDocumentHasEveryRoute compares the routes with those of the OpenAPI
// document. What they answer is held against it by the tests in e2e, which can
// only see the routes that they ask for.
func TestDocumentHasEveryRoute(t *testing.T) {
	text, err := os.ReadFile("../docs/api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, paths, _ := strings.Cut(string(text), "\npaths:\n")
	paths, _, _ = strings.Cut(paths, "\nx-no-operation:\n")
	var described []string
	path := ""
	for _, m := range regexp.MustCompile(`(?m)^  (/\S*):$|^    (get|put|post|delete|patch):$`).FindAllStringSubmatch(paths, -1) {
		if m[1] != "" {
			path = m[1]
			continue
		}
		described = append(described, strings.ToUpper(m[2])+" "+path)
	}
	var served []string
	for _, rt := range new(server.Server).Routes() {
		served = append(served, rt.Method+" "+rt.Pattern)
	}
	slices.Sort(described)
	slices.Sort(served)
	if diff := cmp.Diff(served, described); diff != "" {
		t.Errorf("served and described routes (-served +described):\n%s", diff)
	}
}
