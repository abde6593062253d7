//go:build !nowinner

package login

import "github.com/usherauth/usher/credential"

// Of all who would change a login in one moment one wins. Between processes the
// store says who, by comparing keys, owners and versions; and every change is
// judged by the login as it stands when its turn has come. Both pass through
// the two functions here. The tag nowinner puts variants in their place that
// let everybody win, for the test which proves that the tests of races notice.

// arbitrated is the store as the registry uses it.
func arbitrated(s credential.Store) credential.Store { return s }

// standing is the login that a change of l is judged by.
func standing(l credential.Login) credential.Login { return l }
