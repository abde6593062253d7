package user

var _ = "not_here"
