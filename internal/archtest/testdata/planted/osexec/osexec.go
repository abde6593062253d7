// Package osexec imports os/exec through another package.
package osexec

import _ "github.com/usherauth/usher/internal/archtest/testdata/planted/osexec/inner"
