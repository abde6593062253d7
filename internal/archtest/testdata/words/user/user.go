package user

type tagged struct {
	A string `json:"not_here"`
}

var (
	_ = "not_here"
	_ = "plain"
	_ = "three words"
)
