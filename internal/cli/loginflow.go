package cli

import (
	"errors"

	"github.com/usherauth/usher/api"
)

// flow is how a person logs in; a flag.
type flow string

const (
	flowAuto   flow = "auto"
	flowDevice flow = api.MethodDevice
	flowCode   flow = api.MethodCode
)

func (f *flow) Set(name string) error {
	switch *f = flow(name); *f {
	case flowAuto, flowDevice, flowCode:
		return nil
	}
	return errors.New("must be auto, device or code")
}

func (f *flow) String() string { return string(*f) }

func (f *flow) Type() string { return "flow" }

// qrWhen is when a QR code is shown; a flag.
type qrWhen string

const (
	qrAuto   qrWhen = "auto"
	qrAlways qrWhen = "always"
	qrNever  qrWhen = "never"
)

func (w *qrWhen) Set(name string) error {
	switch *w = qrWhen(name); *w {
	case qrAuto, qrAlways, qrNever:
		return nil
	}
	return errors.New("must be auto, always or never")
}

func (w *qrWhen) String() string { return string(*w) }

func (w *qrWhen) Type() string { return "when" }
