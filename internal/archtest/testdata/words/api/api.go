package api

type Code string

const (
	NotHere  Code = "not_here"
	Plain         = "plain"
	ThreeAre      = "three.words"
)
