package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/internal/credhelper"
)

const helperKubectlHelp = `Answer kubectl, and what else uses client-go, with an access token as an
ExecCredential, in the version that it asks for: client.authentication.k8s.io/v1
or v1beta1.

usage: usher helper kubectl KEY

If a login is needed it says so and fails, exit code 3. Only where kubectl lets
it have the terminal (interactiveMode) it offers the login there and then.

example, in a kubeconfig:
  users:
  - name: me
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: usher
        args: [helper, kubectl, example]
        interactiveMode: Never
`

func (a *app) helperKubectlCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use: "kubectl KEY", Short: "answer kubectl", Long: helperKubectlHelp, Args: arguments("KEY"),
	}, func(ctx context.Context, args []string) error {
		return a.runHelperKubectl(ctx, args[0])
	})
}

func (a *app) runHelperKubectl(ctx context.Context, key string) error {
	info, err := credhelper.ParseExecInfo(a.getenv("KUBERNETES_EXEC_INFO"))
	if err != nil {
		return usagef("%w", err).
			WithHint("set apiVersion of the exec section of the kubeconfig to %s", credhelper.ExecV1)
	}
	if key, err = a.resolveKey(key, ""); err != nil {
		return err
	}
	t, err := a.obtainToken(ctx, tokenOptions{key: key, quiet: !info.Interactive})
	if err != nil {
		return err
	}
	answer, err := credhelper.ExecCredential(info.Version, t)
	if err != nil {
		return err
	}
	return a.printf("%s\n", answer)
}
