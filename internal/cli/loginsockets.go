package cli

import (
	"os"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/login/callback"
)

// firstSocket is the descriptor of the first file that a process inherits beside
// the three that each has.
const firstSocket = 3

// files are the sockets of b for another process that goes on with the login;
// none if b listens nowhere. The caller closes them, and b.
func (b *answerListener) files() ([]*os.File, error) {
	if b == nil || b.listener == nil {
		return nil, nil
	}
	return b.listener.Files()
}

// inheritListener makes the listener of a login of as many sockets as the process
// that started it has handed on.
func (a *app) inheritListener(s *session, login api.Login, sockets int) (*answerListener, error) {
	p, _ := a.lookProvider(s, login.Provider)
	b := &answerListener{app: a, provider: p, flow: flowAuto}
	if sockets == 0 {
		return b, nil
	}
	var files []*os.File
	for i := range sockets {
		files = append(files, os.NewFile(uintptr(firstSocket+i), "socket"))
	}
	var err error
	b.listener, err = callback.FromFiles(files, redirectURI(login))
	return b, err
}
