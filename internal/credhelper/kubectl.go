package credhelper

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/usherauth/usher/api"
)

// The versions of ExecCredential. Clients before 1.22 know the second one only.
const (
	ExecV1      = "client.authentication.k8s.io/v1"
	ExecV1Beta1 = "client.authentication.k8s.io/v1beta1"
)

const execKind = "ExecCredential"

// ExecInfo is what kubectl tells the program that it runs.
type ExecInfo struct {
	// Version is the one that it wants the answer in: [ExecV1] or [ExecV1Beta1].
	Version string
	// Interactive tells that standard input is a person's to type at.
	Interactive bool
}

// ParseExecInfo reads the variable KUBERNETES_EXEC_INFO. Empty, which is what
// other programs than kubectl leave it, means version 1 and nobody to ask.
func ParseExecInfo(text string) (ExecInfo, error) {
	if text == "" {
		return ExecInfo{Version: ExecV1}, nil
	}
	var info struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Spec       struct {
			Interactive bool `json:"interactive"`
		} `json:"spec"`
	}
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		return ExecInfo{}, fmt.Errorf("KUBERNETES_EXEC_INFO is no JSON that is known here: %w", err)
	}
	if info.Kind != execKind {
		return ExecInfo{}, fmt.Errorf("KUBERNETES_EXEC_INFO is a %q and no %s", info.Kind, execKind)
	}
	if info.APIVersion != ExecV1 && info.APIVersion != ExecV1Beta1 {
		return ExecInfo{}, fmt.Errorf("KUBERNETES_EXEC_INFO asks for version %q; known are %s and %s", info.APIVersion, ExecV1, ExecV1Beta1)
	}
	return ExecInfo{Version: info.APIVersion, Interactive: info.Spec.Interactive}, nil
}

// ExecCredential is t as kubectl reads it, one line of JSON without its end.
// version is [ExecV1] or [ExecV1Beta1].
func ExecCredential(version string, t api.Token) ([]byte, error) {
	type status struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expirationTimestamp,omitzero"`
	}
	return json.Marshal(struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Status     status `json:"status"`
	}{version, execKind, status{t.AccessToken, t.ExpiresAt.UTC()}})
}
