module github.com/usherauth/usher/e2e

go 1.26.0

replace github.com/usherauth/usher => ../

require golang.org/x/net v0.62.0
